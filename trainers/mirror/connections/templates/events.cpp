// An event-driven convolution. Arrays are (example, y, x, channel): channels are innermost, so that
// an event adds one contiguous row of numbers to another.
#include <algorithm>
#include <cstring>

typedef REAL R;
enum { V = 64 / sizeof(R) };  // numbers of a vector
typedef R Vector __attribute__((vector_size(64), aligned(sizeof(R)), may_alias));

// Runs of kernel elements from a source position to adjacent target positions.
struct Runs { const long *start, *element, *target, *length; };

struct Sizes {
  long examples, threads, kernel;
  long height, width, channels;   // of the source
  long rows, columns, features;   // of the target
  Runs vertical, horizontal;  // vertical runs have one element each
  long padded;  // channels, or features, padded to whole vectors
};

static inline void add(R* to, const R* row, R times, long n) {
  long i = 0;
  for (; i + V <= n; i += V) *(Vector*)(to + i) += times * *(const Vector*)(row + i);
  for (; i < n; ++i) to[i] += times * row[i];
}

// An inner product: its whole vectors, and the numbers that are left.
struct Product {
  Vector whole = {};
  R left = 0;

  void add(const R* one, const R* other, long n) {
    long i = 0;
    for (; i + V <= n; i += V) whole += *(const Vector*)(one + i) * *(const Vector*)(other + i);
    for (; i < n; ++i) left += one[i] * other[i];
  }
  R sum() const {
    R parts[V];
    std::memcpy(parts, &whole, sizeof parts);
    for (int half = V / 2; half; half /= 2)
      for (int k = 0; k < half; ++k) parts[k] += parts[k + half];
    return left + parts[0];
  }
};

// Stores the places of events among V numbers, and returns their number.
static inline int locate(const R* from, int* places) {
  int any = 0, events = 0;
  for (int i = 0; i < V; ++i) any |= from[i] != 0;
  if (!any) return 0;
  for (int i = 0; i < V; ++i) {
    places[events] = i;
    events += from[i] != 0;
  }
  return events;
}

// Calls `act(place, y, x, channel, value)` for each event.
template <class Act>
static inline void each(const Sizes& s, const R* from, Act act) {
  const long across = s.width * s.channels;
  int places[V];
  for (long y = 0; y < s.height; ++y)
    for (long begin = 0; begin < across; begin += V) {
      R last[V] = {};
      const R *row = from + y * across, *block = row + begin;
      if (begin + V > across) block = std::copy(block, row + across, last) - (across - begin);
      const int events = locate(block, places);
      for (int e = 0; e < events; ++e) {
        const int place = int(begin) + places[e], channels = int(s.channels);
        act(y * across + place, y, place / channels, place % channels, block[places[e]]);
      }
    }
}

// Calls `act(element, target position, length of the run)` for each run of an event.
template <class Act>
static inline void walk(const Sizes& s, long y, long x, long channel, Act act) {
  const Runs &v = s.vertical, &h = s.horizontal;
  for (long i = v.start[y]; i < v.start[y + 1]; ++i)
    for (long j = h.start[x]; j < h.start[x + 1]; ++j)
      act((channel * s.kernel + v.element[i]) * s.kernel + h.element[j],
          v.target[i] * s.columns + h.target[j], h.length[j]);
}

// The number of events.
extern "C" long count(const Sizes& s, const R* in) {
  const long each = s.height * s.width * s.channels;
  long events = 0;
  #pragma omp parallel for num_threads(s.threads) schedule(static) reduction(+ : events)
  for (long n = 0; n < s.examples; ++n) {
    int here = 0;
    for (long i = 0; i < each; ++i) here += in[n * each + i] != 0;
    events += here;
  }
  return events;
}

// Sums of weights (channel, y, x, feature) that arrive at each neuron.
extern "C" void arriving(const Sizes& s, const R* in, const R* weight, R* out) {
  const long from = s.height * s.width * s.channels, to = s.rows * s.columns * s.features;
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long n = 0; n < s.examples; ++n) {
    R* sums = out + n * to;
    std::memset(sums, 0, to * sizeof(R));
    each(s, in + n * from, [&](long, long y, long x, long channel, R value) {
      walk(s, y, x, channel, [&](long element, long target, long length) {
        add(sums + target * s.features, weight + element * s.features, value, length * s.features);
      });
    });
  }
}

// The gradient of the weights (thread, channel, y, x, feature), one part per thread; starts at zero.
extern "C" void to_weights(const Sizes& s, const R* in, const R* gradient, R* out) {
  const long from = s.height * s.width * s.channels, to = s.rows * s.columns * s.features;
  const long size = s.channels * s.kernel * s.kernel * s.features;
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long thread = 0; thread < s.threads; ++thread) {
    R* sums = out + thread * size;
    const long end = (thread + 1) * s.examples / s.threads;
    for (long n = thread * s.examples / s.threads; n < end; ++n) {
      const R* here = gradient + n * to;
      each(s, in + n * from, [&](long, long y, long x, long channel, R value) {
        walk(s, y, x, channel, [&](long element, long target, long length) {
          add(sums + element * s.features, here + target * s.features, value, length * s.features);
        });
      });
    }
  }
}

// The gradient of the source's output where it is active; starts at zero. Weights as in `arriving`.
extern "C" void to_active(
    const Sizes& s, const R* in, const R* gradient, const R* weight, R* out) {
  const long from = s.height * s.width * s.channels, to = s.rows * s.columns * s.features;
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long n = 0; n < s.examples; ++n) {
    const R* here = gradient + n * to;
    each(s, in + n * from, [&](long place, long y, long x, long channel, R) {
      Product product;
      walk(s, y, x, channel, [&](long element, long target, long length) {
        const R* row = weight + element * s.features;
        product.add(row, here + target * s.features, length * s.features);
      });
      out[n * from + place] = product.sum();
    });
  }
}

// The gradient of the source's output, for several examples at once: each row of weights
// (y, x, feature, channel, padded to whole vectors) is read once for all of them.
template <int TOGETHER>
static void back(const Sizes& s, const R* gradient, const R* weight, R* out) {
  const long from = s.height * s.width * s.channels, to = s.rows * s.columns * s.features;
  const Runs &v = s.vertical, &h = s.horizontal;
  for (long y = 0; y < s.height; ++y)
    for (long x = 0; x < s.width; ++x)
      for (long begin = 0; begin < s.channels; begin += V) {
        Vector sums[TOGETHER] = {};
        for (long i = v.start[y]; i < v.start[y + 1]; ++i)
          for (long j = h.start[x]; j < h.start[x + 1]; ++j) {
            const long element = v.element[i] * s.kernel + h.element[j];
            const R* row = weight + element * s.features * s.padded + begin;
            const R* g = gradient + (v.target[i] * s.columns + h.target[j]) * s.features;
            for (long f = 0; f < h.length[j] * s.features; ++f, row += s.padded) {
              const Vector w = *(const Vector*)row;
              for (int k = 0; k < TOGETHER; ++k) sums[k] += g[k * to + f] * w;
            }
          }
        const long left = std::min<long>(V, s.channels - begin);
        R* place = out + (y * s.width + x) * s.channels + begin;
        for (int k = 0; k < TOGETHER; ++k) std::memcpy(place + k * from, &sums[k], left * sizeof(R));
      }
}

extern "C" void to_events(const Sizes& s, const R* gradient, const R* weight, R* out) {
  enum { TOGETHER = 8 };
  const long from = s.height * s.width * s.channels, to = s.rows * s.columns * s.features;
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long n = 0; n < s.examples; n += TOGETHER) {
    if (n + TOGETHER <= s.examples) {
      back<TOGETHER>(s, gradient + n * to, weight, out + n * from);
      continue;
    }
    for (long m = n; m < s.examples; ++m) back<1>(s, gradient + m * to, weight, out + m * from);
  }
}
