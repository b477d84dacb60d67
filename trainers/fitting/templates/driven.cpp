// Neurons driven by recordings: all steps of a block of lanes, with sensitivities and losses.
// A lane is a pair of parameters and trial: lane = set * trials + trial.
#include <cstdint>
#include <cstring>

struct Driven {
  long lanes, trials, samples, settle;
  R dt, logit_shift, weight, log_own, log_lapse;
  const R *signal, *voltage;        // (trial, time); NaN where a voltage does not count
  // (trial, time): a spike; whether the step counts for spikes, and for the potential
  const uint8_t *spikes, *counted, *compared;
  const R *chance;                  // (trial, time): cumulative loss of spikes at random
  const R *gap;                     // (trial, time): samples that are missing before
  const R *latency;                 // (set), in steps
  const R *par, *seed;              // (name, set)
  R *loss, *gradient, *information; // (kind, lane); (lane, p); (lane, p and q <= p)
  R *out;                           // (lane, time)
  uint8_t *fired;                   // (lane, time)
};

static inline R power_of_two(R shifted) {
  int64_t k;
  std::memcpy(&k, &shifted, 8);
  k = (k << 52) + (int64_t(1023) << 52);
  R power;
  std::memcpy(&power, &k, 8);
  return power;
}

// exp within 2 units in the last place, between exp(-700) and exp(700), which compilers vectorise.
static inline R quick_exp(R x) {
  const R magic = 6755399441055744.0;  // 1.5 * 2^52: the sum's last bits are the rounded integer
  const R y = x < R(-700) ? R(-700) : x > R(700) ? R(700) : x;
  const R shifted = y * R(1.4426950408889634) + magic, k = shifted - magic;
  const R r = (y - k * R(0.693147180369123816490)) - k * R(1.90821492927058770002e-10);
  R p = R(1.0 / 6227020800.0);
  p = p * r + R(1.0 / 479001600.0);
  p = p * r + R(1.0 / 39916800.0);
  p = p * r + R(1.0 / 3628800.0);
  p = p * r + R(1.0 / 362880.0);
  p = p * r + R(1.0 / 40320.0);
  p = p * r + R(1.0 / 5040.0);
  p = p * r + R(1.0 / 720.0);
  p = p * r + R(1.0 / 120.0);
  p = p * r + R(1.0 / 24.0);
  p = p * r + R(1.0 / 6.0);
  p = p * r + R(0.5);
  p = p * r + R(1);
  p = p * r + R(1);
  return p * power_of_two(shifted);
}
static inline R quick_tanh(R x) {
  const R e = quick_exp(R(-2) * std::fabs(x)), t = (R(1) - e) / (R(1) + e);
  // Near 0 the difference loses digits; an odd series does not.
  const R y = x * x, near = std::fabs(x) * (R(1) - y * (R(1) / 3 - y * R(2) / 15));
  return std::copysign(std::fabs(x) < R(1e-3) ? near : t, x);
}
// log(1 + e) for 0 <= e <= 1, by the series of 2 artanh(e/(2 + e)).
static inline R quick_log1p(R e) {
  const R s = e / (R(2) + e), y = s * s;
  R sum = R(1) / 31;
  sum = sum * y + R(1) / 29;
  sum = sum * y + R(1) / 27;
  sum = sum * y + R(1) / 25;
  sum = sum * y + R(1) / 23;
  sum = sum * y + R(1) / 21;
  sum = sum * y + R(1) / 19;
  sum = sum * y + R(1) / 17;
  sum = sum * y + R(1) / 15;
  sum = sum * y + R(1) / 13;
  sum = sum * y + R(1) / 11;
  sum = sum * y + R(1) / 9;
  sum = sum * y + R(1) / 7;
  sum = sum * y + R(1) / 5;
  sum = sum * y + R(1) / 3;
  sum = sum * y + R(1);
  return R(2) * s * sum;
}
