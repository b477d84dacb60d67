// Products of gradients with dense weights, which are stored in panels. `R`, the type of numbers,
// comes before.
enum { V = 64 / sizeof(R), PANEL = 2 };  // numbers of a vector; vectors of a panel
#ifdef __AVX512F__
enum { ROWS = 8 };  // as many sums as fit the registers
#else
enum { ROWS = 3 };
#endif
typedef R Vector __attribute__((vector_size(64), aligned(sizeof(R)), may_alias));

template <int N>
static void block(const R* from, long size, const R* panel, R* to, long padded) {
  Vector sums[N][PANEL] = {};
  for (long i = 0; i < size; ++i) {
    const Vector* weights = (const Vector*)(panel + i * PANEL * V);
    for (int e = 0; e < N; ++e)
      for (int q = 0; q < PANEL; ++q) sums[e][q] += from[e * size + i] * weights[q];
  }
  for (int e = 0; e < N; ++e)
    for (int q = 0; q < PANEL; ++q) ((Vector*)(to + e * padded))[q] += sums[e][q];
}

// Adds the product of gradients (example, target) with weights (target, source) in panels.
static void project(const R* from, long examples, long size, const R* panels, R* to, long padded) {
  for (long begin = 0; begin < padded; begin += PANEL * V) {
    const R* panel = panels + begin * size;
    long e = 0;
    for (; e + ROWS <= examples; e += ROWS)
      block<ROWS>(from + e * size, size, panel, to + e * padded + begin, padded);
    for (; e < examples; ++e)
      block<1>(from + e * size, size, panel, to + e * padded + begin, padded);
  }
}
