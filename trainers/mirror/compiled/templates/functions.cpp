// Functions of a step. `R`, the type of numbers, and the arithmetic of Brian2 come before.
static const R MOST = std::numeric_limits<R>::max();
// NaN propagates, as in PyTorch.
static inline R smaller(R a, R b) { return a != a ? a : b != b ? b : a < b ? a : b; }
static inline R larger(R a, R b) { return a != a ? a : b != b ? b : a > b ? a : b; }
// The derivative of exprel: by a series where the formula loses all digits, infinite where it
// would be inf - inf.
static inline R exprel_slope(R x) {
  if (std::fabs(x) < 1) {
    R sum = 0, factor = 1;
    for (int k = 0; k <= 20; ++k) { sum += factor / (k + 2); factor *= x / (k + 1); }
    return sum;
  }
  const R power = std::exp(x);
  return power > MOST ? R(INFINITY) : (power - bioae_exprel(x)) / x;
}
