#version 330
in vec2 at; out vec2 spot;
void main() { spot = at; gl_Position = vec4(at, 0.99999, 1.0); }
