#include "bench/json.h"

void json_print_string(FILE *out, const char *text) {
    if (!text) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

void json_print_field(FILE *out, const char *name, const char *text) {
    json_print_string(out, name);
    fputc(':', out);
    json_print_string(out, text);
    fputc(',', out);
}
