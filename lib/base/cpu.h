/* cpu.h - which instruction sets this processor and its operating system offer
 *
 * What     Detection with cpuid and xgetbv, compiled without any of the flags that it looks for.
 *          Registers count only where the system saves them.
 */
#ifndef UNCLIP_CPU_H
#define UNCLIP_CPU_H

enum {
    CPU_AVX2 = 1,      /* AVX2, FMA, F16C */
    CPU_AVX512 = 2,    /* AVX512F, DQ, BW, VL; implies CPU_AVX2 */
    CPU_BF16 = 4       /* AVX512_BF16; implies CPU_AVX512 */
};

unsigned cpu_flags(void);

/* What BLIS_ARCH_TYPE should be before BLIS's first call, or NULL to leave BLIS alone.  BLIS up
 * to the current release knows no AMD family from 0x1a (Zen 5) on, and falls back to its portable
 * C kernels there, at about an eighth of the speed; its Skylake-X kernels run well.  In BLIS 0.9
 * the variable is parsed as a number and "skx" comes out as 0, which is skx; from 1.0 on names
 * are understood.  Programs set the variable (lib reads and writes no environment). */
const char *cpu_blis_arch(void);

#endif
