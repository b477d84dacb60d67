extern "C" void run(const Driven& s) {
  const long blocks = (s.lanes + ${width} - 1) / ${width}, sets = s.lanes / s.trials;
  #pragma omp parallel for schedule(dynamic)
  for (long block = 0; block < blocks; ++block) {
    long set[${width}], trial[${width}];
    R ${arrays};
    for (int i = 0; i < ${width}; ++i) {
      const long lane = block * ${width} + i < s.lanes ? block * ${width} + i : s.lanes - 1;
      set[i] = lane / s.trials, trial[i] = lane % s.trials;
      ${start}
    }
    for (long n = -s.settle; n < s.samples; ++n) {
      const R now = n * s.dt;
      const bool running = n >= 0;
      #pragma omp simd
      for (int i = 0; i < ${width}; ++i) {
        const long at = trial[i] * s.samples + (running ? n : 0);
        ${body}
      }
    }
    for (int i = 0; i < ${width} && block * ${width} + i < s.lanes; ++i) {
      const long lane = block * ${width} + i;
      ${end}
    }
  }
}
