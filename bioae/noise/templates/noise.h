// Defined in bioae/noise/__init__.py; the tables are filled in from transforms.py.
// Compile without -ffast-math and with -ffp-contract=off to get the same bits as NumPy.
#ifndef bioae_noise_h
#define bioae_noise_h
#include <cmath>
#include <stdint.h>

static inline uint64_t bioae_multiply(uint64_t a, uint64_t b, uint64_t &high)
{
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    high = static_cast<uint64_t>(product >> 64);
    return static_cast<uint64_t>(product);
}

static inline void bioae_philox(const uint64_t (&place)[6], uint64_t (&counter)[4])
{
    uint64_t key[2] = {place[4], place[5]};
    for (int word = 0; word < 4; word++)
        counter[word] = place[word];
    for (int round = 0; round < 10; round++) {
        uint64_t high0, high2;
        const uint64_t low0 = bioae_multiply(counter[0], 0xD2E7470EE14C6C93ULL, high0);
        const uint64_t low2 = bioae_multiply(counter[2], 0xCA5A826395121157ULL, high2);
        counter[0] = high2 ^ counter[1] ^ key[0];
        counter[1] = low2;
        counter[2] = high0 ^ counter[3] ^ key[1];
        counter[3] = low0;
        key[0] += 0x9E3779B97F4A7C15ULL;
        key[1] += 0xBB67AE8584CAA73BULL;
    }
}

static inline uint64_t bioae_word(uint64_t neuron, uint64_t step, uint64_t call,
                                  uint64_t population, uint64_t seed, uint64_t example)
{
    // Four neighbours share a block, which is kept. No block has the number 0, its initial value.
    static thread_local uint64_t place[6], words[4];
    const uint64_t number = neuron / 4 + 1;
    if (place[0] != number || place[1] != step || place[2] != call || place[3] != population
        || place[4] != seed || place[5] != example) {
        place[0] = number, place[1] = step, place[2] = call, place[3] = population;
        place[4] = seed, place[5] = example;
        bioae_philox(place, words);
    }
    return words[neuron % 4];
}

template <int N> static inline double bioae_horner(const double (&coefficients)[N], double x)
{
    double value = coefficients[N - 1];
    for (int n = N - 2; n >= 0; n--)
        value = value * x + coefficients[n];
    return value;
}

static inline double bioae_log(double x)
{
    static const double L[] = {$L};
    int exponent;
    double mantissa = std::frexp(x, &exponent);
    if (mantissa < $SQRT_HALF) {
        mantissa *= 2.0;
        exponent--;
    }
    const double power = exponent;
    const double s = (mantissa - 1.0) / (mantissa + 1.0);
    return power * $LN2_HIGH + (2.0 * s * bioae_horner(L, s * s) + power * $LN2_LOW);
}

static inline double bioae_normal_quantile(double q)
{
    static const double A[] = {$A};
    static const double B[] = {$B};
    static const double C[] = {$C};
    static const double D[] = {$D};
    static const double E[] = {$E};
    static const double F[] = {$F};
    if (std::fabs(q) <= 0.425) {
        const double x = 0.180625 - q * q;
        return q * (bioae_horner(A, x) / bioae_horner(B, x));
    }
    double r = std::sqrt(-bioae_log(0.5 - std::fabs(q)));
    if (r <= 5.0) {
        r -= 1.6;
        r = bioae_horner(C, r) / bioae_horner(D, r);
    } else {
        r -= 5.0;
        r = bioae_horner(E, r) / bioae_horner(F, r);
    }
    return std::copysign(r, q);
}

static inline double bioae_unit(uint64_t word)
{
    return static_cast<double>(word >> 11) * (1.0 / 9007199254740992.0);
}

static inline double bioae_uniform(int64_t neuron, int64_t step, int64_t call,
                                   int64_t population, int64_t seed, int64_t example)
{
    return bioae_unit(bioae_word(neuron, step, call, population, seed, example));
}

static inline double bioae_gauss(uint64_t word)
{
    const int64_t centred = static_cast<int64_t>(word >> 11) - (static_cast<int64_t>(1) << 52);
    return bioae_normal_quantile((static_cast<double>(centred) + 0.5)
                                 * (1.0 / 9007199254740992.0));
}

static inline double bioae_normal(int64_t neuron, int64_t step, int64_t call,
                                  int64_t population, int64_t seed, int64_t example)
{
    return bioae_gauss(bioae_word(neuron, step, call, population, seed, example));
}
#endif
