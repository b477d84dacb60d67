// A dense connection on events: the rows of weights of active sources. Arrays are (batch, source)
// and (batch, target), weights (source, target).
#include <algorithm>
#include <cstring>
#include <vector>

typedef REAL R;
enum { V = 64 / sizeof(R), TILE = 8, CHUNK = 128 };  // numbers of a vector; vectors; rows at once
typedef R Vector __attribute__((vector_size(64), aligned(sizeof(R)), may_alias));

struct Sizes { long batch, sources, targets, threads; };

// The active sources of some rows, with their values.
struct Events {
  std::vector<int> place;
  std::vector<R> value;
  std::vector<long> first;

  void locate(const R* in, long rows, long sources) {
    place.clear();
    value.clear();
    first.assign(1, 0);
    for (long row = 0; row < rows; ++row, in += sources) {
      for (long begin = 0; begin < sources; begin += V) {
        const long end = std::min<long>(begin + V, sources);
        int any = 0;
        for (long i = begin; i < end; ++i) any |= in[i] != 0;
        for (long i = begin; any && i < end; ++i)
          if (in[i] != 0) { place.push_back(int(i)); value.push_back(in[i]); }
      }
      first.push_back(long(place.size()));
    }
  }
};

// Calls `run(thread, events, first row)` for each chunk of rows.
template <class Run>
static void chunks(const Sizes& s, const R* in, Run run) {
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long thread = 0; thread < s.threads; ++thread) {
    Events events;
    const long end = (thread + 1) * s.batch / s.threads;
    for (long n = thread * s.batch / s.threads; n < end; n += CHUNK) {
      events.locate(in + n * s.sources, std::min<long>(CHUNK, end - n), s.sources);
      run(thread, events, n);
    }
  }
}

extern "C" long count(const Sizes& s, const R* in) {
  long events = 0;
  #pragma omp parallel for num_threads(s.threads) reduction(+:events)
  for (long n = 0; n < s.batch * s.sources; ++n) events += in[n] != 0;
  return events;
}

// A tile of targets, as whole vectors or as the numbers that are left.
struct Tile {
  Vector part[TILE];
  long numbers;

  void load(const R* from) {
    if (numbers == TILE * V) std::memcpy(part, from, sizeof part);
    else for (long i = 0; i < numbers; ++i) ((R*)part)[i] = from[i];
  }
  void store(R* to) const {
    if (numbers == TILE * V) std::memcpy(to, part, sizeof part);
    else for (long i = 0; i < numbers; ++i) to[i] = ((const R*)part)[i];
  }
};

// Calls `run(begin, tile)` for each tile of targets.
template <class Run>
static inline void tiles(long targets, Run run) {
  for (long begin = 0; begin < targets; begin += TILE * V)
    run(begin, Tile{{}, std::min<long>(TILE * V, targets - begin)});
}

// to += times * from, the numbers of a tile.
static inline void add(R* to, R times, const R* from, long numbers) {
  if (numbers == TILE * V)
    for (int q = 0; q < TILE; ++q) ((Vector*)to)[q] += times * ((const Vector*)from)[q];
  else
    for (long i = 0; i < numbers; ++i) to[i] += times * from[i];
}

// The inner product of the numbers of a tile.
static inline R dot(const R* one, const R* other, long numbers) {
  Vector whole = {};
  R parts[V], left = 0;
  const long vectors = numbers / V;
  for (long q = 0; q < vectors; ++q) whole += ((const Vector*)one)[q] * ((const Vector*)other)[q];
  for (long i = vectors * V; i < numbers; ++i) left += one[i] * other[i];
  std::memcpy(parts, &whole, sizeof parts);
  for (int half = V / 2; half; half /= 2)
    for (int k = 0; k < half; ++k) parts[k] += parts[k + half];
  return left + parts[0];
}

// The sums of weights that arrive.
extern "C" void arriving(const Sizes& s, const R* in, const R* rows, R* out) {
  chunks(s, in, [&](long, const Events& e, long n) {
    tiles(s.targets, [&](long begin, Tile sums) {
      for (long row = 0; row + 1 < long(e.first.size()); ++row) {
        std::fill_n((R*)sums.part, TILE * V, R(0));
        for (long k = e.first[row]; k < e.first[row + 1]; ++k)
          add((R*)sums.part, e.value[k], rows + e.place[k] * s.targets + begin, sums.numbers);
        sums.store(out + (n + row) * s.targets + begin);
      }
    });
  });
}

// The gradients of the weights, a part for each thread.
extern "C" void to_weights(const Sizes& s, const R* in, const R* gradient, R* parts) {
  chunks(s, in, [&](long thread, const Events& e, long n) {
    R* rows = parts + thread * s.sources * s.targets;
    tiles(s.targets, [&](long begin, Tile g) {
      for (long row = 0; row + 1 < long(e.first.size()); ++row) {
        g.load(gradient + (n + row) * s.targets + begin);
        for (long k = e.first[row]; k < e.first[row + 1]; ++k)
          add(rows + e.place[k] * s.targets + begin, e.value[k], (const R*)g.part, g.numbers);
      }
    });
  });
}

// The gradient of the source's output where it is active; starts at zero.
extern "C" void to_active(
    const Sizes& s, const R* in, const R* gradient, const R* rows, R* out) {
  chunks(s, in, [&](long, const Events& e, long n) {
    tiles(s.targets, [&](long begin, Tile g) {
      for (long row = 0; row + 1 < long(e.first.size()); ++row) {
        g.load(gradient + (n + row) * s.targets + begin);
        for (long k = e.first[row]; k < e.first[row + 1]; ++k)
          out[(n + row) * s.sources + e.place[k]] +=
              dot(rows + e.place[k] * s.targets + begin, (const R*)g.part, g.numbers);
      }
    });
  });
}
