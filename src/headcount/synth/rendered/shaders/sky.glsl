#version 330
uniform mat3 rays; uniform vec3 zenith; uniform vec3 horizon; uniform float cover; uniform float seed; uniform vec3 sun;
uniform vec3 sun_light; uniform float exposure; uniform float bolt;
in vec2 spot; layout(location = 0) out vec4 seen; layout(location = 1) out vec4 whose;
float hash(vec2 p) { vec3 q = fract(vec3(p.xyx) * 0.1031); q += dot(q, q.yzx + 33.33); return fract((q.x + q.y) * q.z); }
float cloud(vec2 p) {
    vec2 i = floor(p), f = fract(p); f = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(i), hash(i + vec2(1, 0)), f.x), mix(hash(i + vec2(0, 1)), hash(i + vec2(1, 1)), f.x), f.y);
}
float clouds(vec2 p) { float s = 0.0, a = 0.5; for (int i = 0; i < 5; i++) { s += a * cloud(p); p = p * 2.1 + 7.0; a *= 0.5; } return s; }
void main() {
    vec3 ray = normalize(rays * vec3(spot, 1.0));
    float up = max(ray.z, 0.0);
    vec3 c = mix(horizon, zenith, pow(up, 0.45));
    vec2 p = ray.xy / (up + 0.12) * 1.6 + seed * 40.0;
    float thick = smoothstep(1.0 - cover, 1.25 - cover, clouds(p) + 0.12) * smoothstep(0.0, 0.1, up + 0.03);
    vec3 puff = mix(horizon * 1.05 + 0.1 * sun_light, horizon * 0.6, smoothstep(0.4, 0.9, clouds(p + 0.15)));
    c = mix(c, puff, thick * 0.9);
    c += sun_light * 0.5 * pow(max(dot(ray, sun), 0.0), 180.0) * (1.0 - thick);
    if (bolt > 0.0) {
        float path = 0.25 * (bolt - 0.5) * 4.0 + 0.10 * (clouds(vec2(ray.z * 14.0, bolt * 9.0)) - 0.5) + 0.03 * (clouds(vec2(ray.z * 60.0, bolt)) - 0.5);
        float d = abs(ray.x / max(ray.y, 0.05) - path);
        c += vec3(0.8, 0.8, 1.0) * (2.5 * smoothstep(0.004, 0.0, d) + 0.25 * smoothstep(0.08, 0.0, d)) * step(0.02, ray.z) * step(0.0, ray.y);
    }
    c *= exposure;
    c = c * (2.51 * c + 0.03) / (c * (2.43 * c + 0.59) + 0.14);
    seen = vec4(pow(clamp(c, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
    whose = vec4(0.0, 0.0, 0.0, 1.0);
}
