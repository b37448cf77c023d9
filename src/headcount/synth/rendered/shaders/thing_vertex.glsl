#version 330
uniform mat4 clip;
in vec3 at; in vec3 normal;
in vec4 row0; in vec4 row1; in vec4 row2;  // the matrix, by rows
in vec4 tint_r; in vec4 tint_g;            // two colours: (r, g, b, r) and (g, b, material, pattern)
in vec4 marks;                             // seed, person, head, whether only its middle counts as one
out vec3 world; out vec3 facing; out vec3 local; out vec3 colour; out vec3 other;
flat out ivec2 kind; flat out float seed; flat out ivec2 person; flat out float narrow;
invariant gl_Position;
void main() {
    vec4 here = vec4(at, 1.0);
    world = vec3(dot(row0, here), dot(row1, here), dot(row2, here));
    vec3 c0 = vec3(row0.x, row1.x, row2.x), c1 = vec3(row0.y, row1.y, row2.y), c2 = vec3(row0.z, row1.z, row2.z);
    facing = c0 * (normal.x / max(dot(c0, c0), 1e-12)) + c1 * (normal.y / max(dot(c1, c1), 1e-12))
           + c2 * (normal.z / max(dot(c2, c2), 1e-12));
    local = at; narrow = marks.w;
    colour = tint_r.rgb; other = vec3(tint_r.a, tint_g.rg);
    kind = ivec2(int(tint_g.b + 0.5), int(tint_g.a + 0.5));
    seed = marks.x; person = ivec2(int(marks.y + (marks.y < 0.0 ? -0.5 : 0.5)), int(marks.z + 0.5));
    gl_Position = clip * vec4(world, 1.0);
}
