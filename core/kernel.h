/** @file kernel.h  One attribute for hot element-wise loops: compiled for several vector widths,
 * chosen at run time. With -ffp-contract=off and plain polynomials all of them give the same bits.
 */
#ifndef CORE_KERNEL_H
#define CORE_KERNEL_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KERNEL_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KERNEL_SANITIZED 1
#endif

/* sanitizers start before function multiversioning is resolved */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(KERNEL_SANITIZED)
#define KERNEL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL_CLONES
#endif

#endif
