extern "C" void $name(const Group& s) {
  const long M = s.examples * s.size, n = s.first;
  const int w = int(s.size);
  const R now = *s.time;
  const R* const* par = s.par;
  $shared
  for (long e = 0; e < s.examples; ++e) {
    const long j = e * s.size;
    $pointers
    _Pragma("omp simd") for (int i = 0; i < w; ++i) {
      $body
    }
  }
}
