// Copies of weights as 32-bit integers, multiples of 2^-24, for spikes that read far more weights
// than learning changes: half the memory, and sums of integers are exact in any order, as those of
// weights on this grid are.
#include <cmath>
#include <cstddef>
#include <stdint.h>

namespace {
template <int sources, int targets> struct WeightCopies
{
    // Weights that have no copy are found when a spike reads them; all are read as they are then.
    bool exact;

    // All weights may have changed.
    void change_all() { changes += remembered + 1; }

    // The weights of a target may have changed.
    void change(int32_t target) { targets_changed[changes++ % remembered] = target; }

    // Begin with all weights unknown.
    void reset() { exact = true; change_all(); }

    // Copy what has changed in the rows of spikes; return whether all copies are exact.
    bool update(const double* weights, const int32_t* spikes, int32_t number)
    {
        for (int32_t spike = 0; spike < number && exact; spike++)
        {
            const int32_t source = spikes[spike];
            const int64_t missed = changes - known[source];
            const double* const row = weights + (size_t)source*targets;
            int32_t* const copy = copies + (size_t)source*targets;
            if (missed > remembered)
                exact = copied(row, copy, targets);
            else
                for (int64_t k = changes - missed; k < changes; k++)
                {
                    const int32_t target = targets_changed[k % remembered];
                    exact &= copied(row + target, copy + target, 1);
                }
            known[source] = changes;
        }
        return exact;
    }

    // Add the rows of spikes to numbers, eight rows per pass; and the magnitudes of negative weights
    // to others, if `negative` is not null.
    void add(const int32_t* spikes, int32_t number, double* numbers, double* negative)
    {
        alignas(64) static int64_t sums[targets], negative_sums[targets];
        static const int32_t nothing[targets] = {0};
        for (int32_t first = 0; first < number; first += 8)
        {
            const int32_t* rows[8];
            for (int32_t k = 0; k < 8; k++)
                rows[k] = first + k < number ? copies + (size_t)spikes[first + k]*targets : nothing;
            if (negative)
                add_signs(rows, sums, negative_sums);
            else
                add_rows(rows, sums);
        }
        add_sums(sums, numbers);
        if (negative)
            add_sums(negative_sums, negative);
    }

private:
    static const int remembered = 64;
    alignas(64) int32_t copies[(size_t)sources*targets];
    int32_t targets_changed[remembered];
    int64_t changes, known[sources];

    // Eight copies below this limit add up in 32 bits; no NaN is below it.
    static bool copied(const double* __restrict weights, int32_t* __restrict copy, int32_t number)
    {
        int32_t lacks = 0;
        for (int32_t k = 0; k < number; k++)
        {
            const double units = weights[k]*16777216.0;
            copy[k] = static_cast<int32_t>(units);
            lacks |= !(std::fabs(units) < 268435456.0) | (copy[k] != units);
        }
        return !lacks;
    }

    static void add_rows(const int32_t* const (&rows)[8], int64_t* __restrict sums)
    {
        const int32_t *const a = rows[0], *const b = rows[1], *const c = rows[2];
        const int32_t *const d = rows[3], *const e = rows[4], *const f = rows[5];
        const int32_t *const g = rows[6], *const h = rows[7];
        for (int32_t j = 0; j < targets; j++)
            sums[j] += ((a[j] + b[j]) + (c[j] + d[j])) + ((e[j] + f[j]) + (g[j] + h[j]));
    }

    static void add_signs(const int32_t* const (&rows)[8], int64_t* __restrict positive,
                          int64_t* __restrict negative)
    {
        for (int32_t k = 0; k < 8; k++)
        {
            const int32_t* const row = rows[k];
            for (int32_t j = 0; j < targets; j++)
            {
                positive[j] += row[j] > 0 ? row[j] : 0;
                negative[j] += row[j] < 0 ? -row[j] : 0;
            }
        }
    }

    static void add_sums(int64_t* __restrict sums, double* __restrict numbers)
    {
        for (int32_t j = 0; j < targets; j++)
        {
            numbers[j] += static_cast<double>(sums[j])/16777216.0;
            sums[j] = 0;
        }
    }
};
}
