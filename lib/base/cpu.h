/* cpu.h - which instruction sets this processor and its operating system offer
 *
 * What     Detection with cpuid and xgetbv, compiled without any of the flags that it looks for.  An instruction
 *          set counts only where the operating system saves its registers.
 * Source   Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapters 14.3 and 15.2; BLIS
 *          0.9.0, frame/base/bli_cpuid.c and bli_env.c.
 */
#ifndef UNCLIP_CPU_H
#define UNCLIP_CPU_H

enum {
    CPU_AVX2 = 1,      /* AVX2, FMA, F16C */
    CPU_AVX512 = 2,    /* AVX512F, DQ, BW, VL; implies CPU_AVX2 */
    CPU_BF16 = 4       /* AVX512_BF16; implies CPU_AVX512 */
};

unsigned cpu_flags(void);

/* The value that the environment variable BLIS_ARCH_TYPE should have before BLIS's first call, or NULL
 * to leave BLIS alone.  BLIS does not know AMD's families from 0x1a (Zen 5) on.  It falls back to its portable
 * C kernels there, at about an eighth of the speed, but its Skylake-X kernels run well.  BLIS 0.9 parses
 * the variable as a number: "skx" gives 0, which is skx.  BLIS 1.0 understands names.  Programs set the
 * variable, because lib neither reads nor writes the environment. */
const char *cpu_blis_arch(void);

#endif
