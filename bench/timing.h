/* What both programs share: a clock, the CPU time of a process, and a histogram of latencies. */

#ifndef TIMING_H
#define TIMING_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL /* in nanoseconds, as all times here */

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static inline double own_cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* User and system time of all threads a process has or had, to the nanosecond; 0 if there is no such process. */
static inline double cpu_of_s(int pid) {
    clockid_t clock;
    struct timespec t;
    if (!pid || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return 0;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 64 steps to each power of two: no value is off by more than 1.6 %, and recording one is an increment. */
#define STEPS 64
typedef struct {
    uint64_t counts[64 * STEPS];
    uint64_t total, largest;
} histogram;

static inline void record(histogram *h, uint64_t ns) {
    if (!ns) ns = 1;
    int power = 63 - __builtin_clzll(ns);
    uint64_t step = power >= 6 ? ns >> (power - 6) : ns << (6 - power);
    h->counts[power * STEPS + (int)(step & (STEPS - 1))]++;
    h->total++;
    if (ns > h->largest) h->largest = ns;
}

/* In microseconds; 0 if nothing was recorded. */
static inline double quantile_us(const histogram *h, double q) {
    uint64_t below = 0, rank = (uint64_t)(q * (double)h->total);
    for (int i = 0; i < 64 * STEPS; i++) {
        below += h->counts[i];
        if (below > rank) {
            double width = (double)(1ULL << (i / STEPS)) / STEPS;
            return ((double)(1ULL << (i / STEPS)) + (i % STEPS + 0.5) * width) / 1000;
        }
    }
    return (double)h->largest / 1000;
}

#endif
