// Defined in equations/arrays/functions.py, which says the same in NumPy and PyTorch.
// Compile without -ffast-math and with -ffp-contract=off to get the same bits.
#ifndef bioae_arithmetic_h
#define bioae_arithmetic_h
#include <cmath>

// Remainder with the sign of the divisor. fmod is exact.
static inline $real bioae_mod($real a, $real b)
{
    $real rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0))
        rest += b;
    return rest != rest ? rest : std::copysign(rest, b);
}

// Floor of the quotient, by CPython's algorithm: floor(a/b) would round up to a wrong integer.
static inline $real bioae_floordiv($real a, $real b)
{
    if (b == 0)
        return a / b;
    const $real rest = std::fmod(a, b);
    $real quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0))
        quotient -= 1;
    if (quotient == 0)
        return std::copysign($real(0), a / b);
    const $real whole = std::floor(quotient);
    return quotient - whole > $real(0.5) ? whole + 1 : whole;
}

// NaN stays NaN.
static inline $real bioae_maximum($real a, $real b)
{
    return a > b || a != a ? a : b;
}

static inline $real bioae_minimum($real a, $real b)
{
    return a < b || a != a ? a : b;
}

// The lower bound first, so that the upper one wins where they are crossed; NaN stays NaN.
static inline $real bioae_clip($real value, $real low, $real high)
{
    if (low != low)
        return low;
    if (high != high)
        return high;
    value = value < low ? low : value;
    value = value > high ? high : value;
    return value + 0; // no negative zero: libraries differ in the sign of a zero
}

static inline $real bioae_int($real value)
{
    const $real whole = std::trunc(value);
    return whole >= $real(-2147483648.0) && whole < $real(2147483648.0)
        ? whole + 0 : $real(-2147483648.0);
}

static inline int bioae_integer($real value) { return int(bioae_int(value)); }

static inline $real bioae_sign($real value)
{
    return value != value ? value : $real(value > 0) - $real(value < 0);
}

static inline $real bioae_timestep($real time, $real dt)
{
    return std::trunc((time + $real(1e-3) * dt) / dt);
}

static inline $real bioae_floor($real value) { return std::floor(value); }
static inline $real bioae_ceil($real value) { return std::ceil(value); }
static inline $real bioae_expm1($real value) { return std::expm1(value); }
static inline $real bioae_log1p($real value) { return std::log1p(value); }
static inline $real bioae_square($real value) { return value * value; }
static inline $real bioae_number($real value) { return value; }

static inline $real bioae_exprel($real value)
{
    if (value > 717)
        return $real(INFINITY);
    const $real safe = std::fabs(value) < $real(1e-16) ? $real(1e-16) : value;
    return std::expm1(safe) / safe;
}

// As wide as the wider argument, and at least float.
template <typename A, typename B>
static inline auto bioae_divide(A a, B b) -> decltype(1.0f * a * b)
{
    return 1.0f * a / b;
}
#endif
