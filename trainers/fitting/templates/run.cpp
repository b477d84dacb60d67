// All steps of a block of lanes; `LATE`, `VOLTAGE` and `SPIKES` say what the recording has; `LOSSES`,
// whether losses and slopes are summed, or potentials and spikes recorded. Of a loss, `g` is the
// factor of a slope in the gradient, and `h` in the information.
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
#if LATE
        const R place = R(n) - s.latency[set[i]];
        const R last = R(s.samples - 1);
        const R inside = place < 0 ? R(0) : place > last ? last : place;
        const long low = long(inside), high = low + 1 < s.samples ? low + 1 : low;
        const R part = inside - R(low), first = s.signal[trial[i] * s.samples + low];
        const R rise = s.signal[trial[i] * s.samples + high] - first;
        const R signal = running ? first + part * rise : R(0);
        const R signal_slope = running & (place > 0) & (place < last) ? -rise : R(0);
#else
        const R signal = running ? s.signal[at] : R(0);
#endif
#if VOLTAGE
        const R given = s.voltage[at];
        const bool known = running & (given == given);
        const R data = known ? given : R(0);
        const bool compared = known & (s.compared[at] != 0);
#endif
#if SPIKES
        const bool forced = running & (s.spikes[at] != 0);
#endif
        ${values}
#if LOSSES && VOLTAGE
        const R gv = ${residual}, hv = compared ? R(1) : R(0);
        lv[i] += R(0.5) * gv * gv;
#endif
#if LOSSES && SPIKES
        const bool ready = ${ready};
        const R z = ${logit}, e = quick_exp(-std::fabs(z)), y = forced ? R(1) : R(0);
        const bool within = running & (s.counted[at] != 0), impossible = within & forced & !ready;
        const R counts = (within & ready) ? R(1) : R(0);
        const R up = R(1) / (R(1) + e), chance = z > 0 ? up : e * up;
        lr[i] += impossible ? R(1) : R(0);
        li[i] += impossible & (s.log_lapse > R(-1e300)) ? R(1e300) : R(0);
        li[i] += counts * ((z > 0 ? z : R(0)) - z * y + quick_log1p(e));
        const R gs = s.weight * counts * (chance - y);
        const R hs = s.weight * counts * chance * (R(1) - chance);
#endif
#if !LOSSES
        const long to = (set[i] * s.trials + trial[i]) * s.samples + n;
        if (running) { s.out[to] = ${potential}; s.fired[to] = ${fired}; }
#endif
        ${sums}
      }
#if LOSSES && SPIKES
      // An interval between spikes is the neuron's, or with a small probability one at random.
      for (int i = 0; running && i < ${width}; ++i) {
        const long at = trial[i] * s.samples + n;
        if (!s.spikes[at] && n + 1 < s.samples) continue;
        const R own = s.log_own - li[i], chance = s.log_lapse - (s.chance[at] - before[i]);
        const R both = std::fmax(own, chance) + std::log1p(std::exp(-std::fabs(own - chance)));
        const R part = std::exp(own - both);
        ls[i] -= both, li[i] = R(0), before[i] = s.chance[at];
        lc[i] += chance > own ? R(1) : R(0);
        if (chance - own > lw[i]) lw[i] = chance - own, le[i] = R(n);
        ${interval}
      }
#endif
    }
    for (int i = 0; i < ${width} && block * ${width} + i < s.lanes; ++i) {
      const long lane = block * ${width} + i;
      ${end}
    }
  }
}
