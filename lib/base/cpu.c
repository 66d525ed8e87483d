#include "lib/base/cpu.h"

#if defined __x86_64__

#include <cpuid.h>

static unsigned long long saved_registers(void) {
    unsigned lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (unsigned long long)hi << 32 | lo;
}

unsigned cpu_flags(void) {
    const unsigned leaf1 = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    const unsigned wide = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    const unsigned long long ymm = 0x6, zmm = 0xe6;    /* bits of XCR0 */
    unsigned a, b, c, d, flags = 0;
    unsigned long long saved;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1) != leaf1)
        return 0;
    saved = saved_registers();
    if ((saved & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return 0;
    flags = CPU_AVX2;
    if ((saved & zmm) != zmm || (b & wide) != wide)
        return flags;
    flags |= CPU_AVX512;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & 1 << 5)
        flags |= CPU_BF16;
    return flags;
}

const char *cpu_blis_arch(void) {
    unsigned a, b, c, d, family;

    if (!(cpu_flags() & CPU_AVX512) || !__get_cpuid(0, &a, &b, &c, &d))
        return 0;
    if (b != signature_AMD_ebx || c != signature_AMD_ecx || d != signature_AMD_edx)
        return 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    family = (a >> 8 & 15) + (a >> 20 & 255);
    return family >= 0x1a ? "skx" : 0;
}

#else

unsigned cpu_flags(void) {
    return 0;
}

const char *cpu_blis_arch(void) {
    return 0;
}

#endif
