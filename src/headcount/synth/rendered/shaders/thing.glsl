#version 330
uniform vec3 eye; uniform vec3 sun; uniform vec3 sun_light; uniform vec3 sky_light; uniform vec3 ground_light;
uniform mat4 shadow_clip; uniform sampler2DShadow shadow; uniform float shadowed;
uniform sampler2D crowd; uniform vec4 crowd_place;  // how full the ground is: x, y of its corner, 1 / its sides
uniform vec3 fog; uniform float fog_per_m; uniform float wet; uniform float snow;
uniform int lamps; uniform vec3 lamp_at[8]; uniform vec3 lamp_light[8];
uniform float exposure;
in vec3 world; in vec3 facing; in vec3 local; in vec3 colour; in vec3 other; flat in float narrow;
flat in ivec2 kind; flat in float seed; flat in ivec2 person;
layout(location = 0) out vec4 seen; layout(location = 1) out vec4 whose;

float hash(vec3 p) {
    p = fract(p * vec3(0.1031, 0.1030, 0.0973)); p += dot(p, p.yxz + 33.33);
    return fract((p.x + p.y) * p.z);
}
float cloud(vec3 p) {
    vec3 i = floor(p), f = fract(p); f = f * f * (3.0 - 2.0 * f);
    float a = mix(mix(hash(i), hash(i + vec3(1, 0, 0)), f.x), mix(hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)), f.x), f.y);
    float b = mix(mix(hash(i + vec3(0, 0, 1)), hash(i + vec3(1, 0, 1)), f.x), mix(hash(i + vec3(0, 1, 1)), hash(i + vec3(1, 1, 1)), f.x), f.y);
    return mix(a, b, f.z);
}
float clouds(vec3 p) { return 0.6 * cloud(p) + 0.3 * cloud(p * 2.7) + 0.1 * cloud(p * 7.3); }
float band(float x, float middle, float half_wide, float soft) {
    return 1.0 - smoothstep(half_wide - soft, half_wide + soft, abs(x - middle));
}
float lines(vec2 p, float wide) {  // thin lines at every whole number, fading where they are finer than a pixel
    vec2 step = fwidth(p), f = abs(fract(p - 0.5) - 0.5);
    vec2 on = 1.0 - smoothstep(vec2(wide), vec2(wide) + step + 1e-4, f);
    on *= clamp(1.2 - 2.0 * step, 0.0, 1.0);
    return max(on.x, on.y);
}

vec3 cloth(vec3 p) {
    vec3 c = colour;
    float turn = atan(p.y, p.x), z = p.z;
    float plain = smoothstep(0.25, 0.6, 8.0 * max(fwidth(p.z), 0.8 * fwidth(p.x)));  // finer than a pixel
    if (kind.y == 1) c = mix(c, other, step(0.5, fract(z * 7.0 + seed)));                       // rings
    if (kind.y == 2) c = mix(c, other, step(0.55, fract(turn * 4.0)));                          // stripes
    if (kind.y == 3) c = mix(c, other, 0.5 * step(0.5, fract(z * 8.0)) + 0.5 * step(0.5, fract(turn * 5.0)));
    if (kind.y == 4) c = mix(c, other, step(0.62, z));                                          // two halves
    if (kind.y == 5) c = mix(c, other, step(0.0, p.y) * band(p.x, 0.0, 0.32, 0.04) * band(z, 0.6, 0.16, 0.03));
    if (kind.y == 6) c = mix(c, other, step(0.58, clouds(p * 4.0 + seed * 90.0)));              // a print
    if (kind.y != 4 && kind.y != 0) c = mix(c, 0.5 * (colour + other), plain);
    c *= 0.80 + 0.40 * clouds(vec3(p.xy * 5.0, z * 3.0) + seed * 50.0);                         // folds
    return c;
}

vec3 face(vec3 p, out float gloss) {
    vec3 c = colour; gloss = 0.25;
    if (p.y > 0.0) {
        float x = abs(p.x), z = p.z;
        float eye_white = band(x, 0.34, 0.14, 0.03) * band(z, 0.10, 0.055, 0.02);
        float pupil = band(x, 0.34, 0.06, 0.02) * band(z, 0.10, 0.06, 0.02);
        float brow = band(x, 0.35, 0.20, 0.05) * band(z, 0.26, 0.045, 0.03);
        float socket = band(x, 0.34, 0.2, 0.12) * band(z, 0.13, 0.12, 0.1);
        float mouth = band(p.x, 0.0, 0.24, 0.05) * band(z, -0.56, 0.05, 0.03);
        float under = band(p.x, 0.0, 0.16, 0.08) * band(z, -0.36, 0.04, 0.04);
        c *= 1.0 - 0.30 * socket - 0.35 * under;
        c = mix(c, vec3(0.75), 0.8 * eye_white); c = mix(c, vec3(0.03), pupil);
        c = mix(c, other * 0.7, 0.8 * brow); c = mix(c, c * vec3(0.75, 0.32, 0.30), 0.85 * mouth);
        c = mix(c, c * vec3(1.12, 0.82, 0.78), 0.5 * band(x, 0.48, 0.2, 0.18) * band(z, -0.15, 0.2, 0.18));
        if ((kind.y & 1) != 0) c = mix(c, other, 0.8 * smoothstep(-0.30, -0.45, z + 0.25 * x) * (1.0 - mouth));
        if ((kind.y & 2) != 0) {
            float rim = band(length(vec2((x - 0.34) / 0.23, (z - 0.10) / 0.17)), 1.0, 0.14, 0.06);
            float bridge = band(z, 0.12, 0.03, 0.02) * step(x, 0.14);
            c = mix(c, vec3(0.02), max(rim, bridge) * 0.9);
        }
        if ((kind.y & 4) != 0 && z < -0.16 && p.y > 0.12) c = mix(vec3(0.62, 0.75, 0.82), vec3(0.05), step(0.75, seed));
    }
    if (abs(local.x) > 0.92) c *= 0.9;
    return c;
}

vec3 floor_colour(vec2 p) {
    vec3 c = colour; float rough = clouds(vec3(p * 0.7, 3.0)), fine = clouds(vec3(p * 9.0, 7.0));
    c *= 0.78 + 0.3 * rough + 0.18 * fine;
    if (kind.y == 1) { c *= 1.0 - 0.35 * lines(p * vec2(1.2, 1.2), 0.012); c *= 0.9 + 0.2 * hash(vec3(floor(p * 1.2), 1.0)); }
    if (kind.y == 2) c = mix(c, other, smoothstep(0.45, 0.75, clouds(vec3(p * 0.35, 1.0)))) * (0.6 + 0.8 * clouds(vec3(p * 22.0, 2.0)));
    if (kind.y == 3) { c *= 1.0 - 0.3 * lines(p * vec2(8.0, 0.9), 0.02); c *= 0.85 + 0.3 * hash(vec3(floor(p * vec2(8.0, 0.9)), 2.0)); }
    if (kind.y == 4) { c = mix(c, other, step(0.5, hash(vec3(floor(p * 1.6), 4.0)))); c *= 1.0 - 0.2 * lines(p * 1.6, 0.01); }
    if (kind.y == 5) { float kerb = lines(vec2(p.x / 3.6, 0.5), 0.02); c = mix(c, vec3(0.7), kerb * step(0.4, fract(p.y / 6.0))); }
    return c;
}

vec3 wall_colour(vec3 p, vec3 n) {
    vec3 c = colour;
    // In metres from the middle of the foot: along the wall and up.
    vec2 q = abs(n.x) > 0.5 ? p.yz : p.xz;
    float grain = clouds(vec3(q * 1.5, seed * 40.0));
    c *= 0.82 + 0.3 * grain;
    if (kind.y == 1 || kind.y == 2) {
        vec2 cell = kind.y == 1 ? vec2(2.6, 3.1) : vec2(1.7, 3.4);
        vec2 f = fract(q / cell + seed), id = floor(q / cell + seed);
        float open = step(0.26, f.x) * step(f.x, 0.78) * step(0.30, f.y) * step(f.y, 0.80) * step(abs(n.z), 0.5);
        float lit = step(0.72, hash(vec3(id, seed * 31.0)));
        vec3 pane = mix(vec3(0.03, 0.04, 0.055) + sky_light * 0.10 * hash(vec3(id, 5.0)), vec3(0.95, 0.72, 0.42) * other.r, lit);
        float frame = step(0.48, f.x) * step(f.x, 0.52);
        c = mix(c, mix(pane, colour * 0.6, frame), open);
        if (q.y < 3.0) c = mix(c * 0.8, vec3(0.05, 0.06, 0.07), step(0.2, fract(q.x / 4.0)) * step(fract(q.x / 4.0), 0.85) * step(q.y, 2.5));
    }
    if (kind.y == 3) { vec2 f = q * vec2(4.0, 11.0); f.x += 0.5 * mod(floor(f.y), 2.0); c *= 1.0 - 0.25 * lines(f, 0.06); }
    if (kind.y == 4) c *= 0.92 + 0.08 * step(0.5, fract(q.x * 1.4));
    return c;
}

void main() {
    vec3 n = normalize(facing), to_eye = eye - world; float away = length(to_eye); to_eye /= away;
    if (dot(n, to_eye) < 0.0 && kind.x != 5) n = -n;
    vec3 c = colour; float gloss = 0.0, glow = 0.0, soft = 0.0;
    if (kind.x == 0) { c = cloth(local); soft = 0.15; }
    else if (kind.x == 1) { gloss = 0.2; soft = 0.1; }
    else if (kind.x == 2) { c = face(local, gloss); soft = 0.12; }
    else if (kind.x == 3) {
        float strand = 0.6 * cloud(vec3(atan(local.y, local.x) * 16.0, local.z * 3.0, seed * 70.0))
                     + 0.4 * cloud(vec3(local.xy * 22.0, local.z * 5.0 + seed * 31.0));
        c *= 0.45 + 1.0 * strand; gloss = 0.10; n = normalize(n + 0.35 * (vec3(strand, cloud(local * 19.0), cloud(local * 17.0 + 5.0)) - 0.5));
    }
    else if (kind.x == 4) { gloss = 0.3; c *= 0.9 + 0.2 * clouds(world * 4.0); }
    else if (kind.x == 5) {
        float leaf = clouds(world * 3.5 + seed * 60.0);
        c = mix(c * 0.35, other, smoothstep(0.30, 0.72, leaf)); soft = 0.4;
#ifdef HOLES
        if (clouds(world * 6.0 + seed * 20.0) > 0.60 + 0.25 * dot(n, to_eye)) discard;
#endif
    }
    else if (kind.x == 6) c = wall_colour(world, n);
    else if (kind.x == 7) { c = floor_colour(world.xy); }
    else if (kind.x == 8) glow = 1.0;
    else if (kind.x == 9) { c *= 0.85 + 0.3 * clouds(world * 2.0 + seed * 9.0); soft = 0.2; }

    if (snow > 0.0 && kind.x != 2 && kind.x != 1 && kind.x != 8 && n.z > 0.25)
        c = mix(c, vec3(0.86, 0.88, 0.93), snow * smoothstep(0.25, 0.8, n.z) * (kind.x == 7 ? smoothstep(0.3, 0.5, clouds(vec3(world.xy * 0.6, 1.0)) + 0.25) : 0.7));
    float puddle = 0.0;
    if (wet > 0.0) {
        if (kind.x == 7) { puddle = wet * smoothstep(0.40, 0.62, clouds(vec3(world.xy * 0.5, 9.0))); c *= 1.0 - 0.45 * wet; }
        else if (kind.x == 0 || kind.x == 3) { c *= 1.0 - 0.25 * wet; gloss += 0.15 * wet; }
    }

    vec2 spot = (world.xy - crowd_place.xy) * crowd_place.zw;
    float full = (spot.x > 0.0 && spot.y > 0.0 && spot.x < 1.0 && spot.y < 1.0) ? texture(crowd, spot).r : 0.0;
    float low = clamp(1.0 - world.z / 1.7, 0.0, 1.0);
    float open = person.x >= 0 ? 1.0 - 0.62 * full * pow(low, 0.8) - 0.20 * low : 1.0 - 0.72 * full * low;
    float lid = person.y == 1 ? mix(0.72, 1.0, smoothstep(-1.0, 0.1, local.z)) : 1.0;   // darker under the chin
    open *= lid;

    float lit = max(dot(n, sun), 0.0); lit = mix(lit, 0.5 * (dot(n, sun) + 1.0) * 0.8, soft);
    if (shadowed > 0.0 && lit > 0.0) {
        vec4 q = shadow_clip * vec4(world + n * 0.02, 1.0); vec3 s = q.xyz * 0.5 + 0.5;
        if (s.x > 0.0 && s.y > 0.0 && s.x < 1.0 && s.y < 1.0 && s.z < 1.0) {
            float sum = 0.0; vec2 texel = 1.0 / vec2(textureSize(shadow, 0));
            for (int i = -1; i <= 1; i += 2) for (int j = -1; j <= 1; j += 2)
                sum += texture(shadow, vec3(s.xy + vec2(i, j) * texel * 0.75, s.z - 0.0012));
            lit *= mix(1.0, 0.25 * sum, shadowed);
        }
    }
    vec3 light = sun_light * lit * mix(0.55, 1.0, open) + mix(ground_light, sky_light, 0.5 + 0.5 * n.z) * open;
    vec3 shine = vec3(0.0);
    vec3 half_way = normalize(sun + to_eye);
    shine += sun_light * gloss * 0.35 * pow(max(dot(n, half_way), 0.0), 28.0) * lit;
    for (int i = 0; i < lamps; i++) {
        vec3 way = lamp_at[i] - world; float far = length(way); way /= far;
        float got = max(mix(dot(n, way), 0.5 + 0.5 * dot(n, way), 0.25), 0.0) / (1.0 + far * far * 0.02);
        light += lamp_light[i] * got * mix(0.6, 1.0, open);
        shine += lamp_light[i] * gloss * 0.2 * pow(max(dot(n, normalize(way + to_eye)), 0.0), 24.0) / (1.0 + far * far * 0.02);
    }
    vec3 out_light = c * light + shine;
    if (glow > 0.0) out_light = c * (0.6 + 2.0 * other.r);
    if (kind.x == 7 && wet > 0.0) {
        float mirror = 0.06 + 0.7 * pow(1.0 - max(dot(n, to_eye), 0.0), 4.0);
        out_light = mix(out_light, (fog * 0.9 + sky_light * 0.3) * (1.0 - 0.8 * full), mirror * mix(0.35 * wet, 1.0, puddle));
    }
    float haze = 1.0 - exp(-fog_per_m * max(away - 2.0, 0.0));
    out_light = mix(out_light, fog, haze);
    out_light *= exposure;
    out_light = out_light * (2.51 * out_light + 0.03) / (out_light * (2.43 * out_light + 0.59) + 0.14);   // film
    seen = vec4(pow(clamp(out_light, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
    // As the outline that labels are made from: from the chin up, without a brim's edge.
    bool counts = person.y == 1 && local.z >= -1.02 && (narrow < 0.5 || length(local.xy) <= 1.25);
    int number = counts ? person.x + 1 : 0;
    whose = vec4(float(number & 255), float((number >> 8) & 255), float((number >> 16) & 255), 255.0) / 255.0;
}
