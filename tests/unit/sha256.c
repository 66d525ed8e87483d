/* The examples of FIPS 180-4, and lengths around the edges of the padding, for which sha256sum(1) of GNU coreutils 9.1
 * gave the values. */
#include "formats/io/sha256.h"

#include "tests/tap.h"

int main(void) {
    static const struct { size_t n; const char *hex; } a[] = {    /* n times "a" */
        {55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        {56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        {64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        {1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    unsigned char *big = malloc(1000000);
    char hex[65];

    sha256_hex((const unsigned char *)"", 0, hex);
    ok(!strcmp(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "nothing");
    sha256_hex((const unsigned char *)"abc", 3, hex);
    ok(!strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "abc");
    sha256_hex((const unsigned char *)two, sizeof two - 1, hex);
    ok(!strcmp(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"), "two blocks");
    memset(big, 'a', 1000000);
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        sha256_hex(big, a[i].n, hex);
        ok(!strcmp(hex, a[i].hex), "%zu times a", a[i].n);
    }
    free(big);
    return done();
}
