// All steps of a layer. Each thread runs all steps of a block without waiting for the others. In a
// recurrent layer the neurons of an example interact in each step, and a block is a group of
// examples; else it is some neurons of an example, whose values stay in the cache.
#include <algorithm>
#include <vector>

// `R`, the type of numbers, and `Group`, the argument of the functions of a step, come before.
enum { TILE = 8 };  // vectors of a tile

struct Sizes {
  long steps, lead, examples, size, padded, sent, delay, cut, held, threads, group, width;
  // `latency` is -1 if the layer is not recurrent.
  long inputs, recorded, final, summed, carried, later, accumulated, learned, latency, paths;
  const long *final_carried, *final_later, *learned_place;

  bool alone() const { return latency < 0; }
  // The row of the input that arrives in a step, or -1.
  long row(long t) const { return t < delay || t - delay >= sent ? -1 : held ? 0 : t - delay; }
};

// The functions of a step, see `source.py`.
struct Steps { void (*start)(const Group&), (*fire)(const Group&), (*step)(const Group&),
                    (*replay)(const Group&), (*arriving)(const Group&), (*backward)(const Group&); };

// Recurrent weights of one input and delay: by source, rows of targets; by target, in panels of
// sources; and their gradient for each thread, by source.
struct Path { long input, delay; const R *rows, *panels; R* gradient; };

// The spikes of a group in the steps so far: the neurons that fired in a step, and for each of them
// the examples.
class Spikes {
 public:
  std::vector<int> neuron, example;
  std::vector<long> step{0}, first{0};

  explicit Spikes(long size) : slot(size) {}

  void add(const R* z, long examples, long size) {
    std::fill(slot.begin(), slot.end(), 0);
    who.clear();
    for (long e = 0; e < examples; ++e, z += size)
      for (long begin = 0; begin < size; begin += V) {
        const long end = std::min<long>(begin + V, size);
        int any = 0;
        for (long i = begin; i < end; ++i) any |= z[i] != 0;
        for (long i = begin; any && i < end; ++i)
          if (z[i] != 0) { who.push_back(int(i)); who.push_back(int(e)); ++slot[i]; }
      }
    long place = long(example.size());
    for (long i = 0; i < size; ++i) {
      if (!slot[i]) continue;
      const long next = place + slot[i];
      neuron.push_back(int(i));
      first.push_back(next);
      slot[i] = place;
      place = next;
    }
    example.resize(place);
    for (size_t k = 0; k < who.size(); k += 2) example[slot[who[k]]++] = who[k + 1];
    step.push_back(long(neuron.size()));
  }

 private:
  std::vector<long> slot;
  std::vector<int> who;
};

template <int N>
static inline void add(R* to, const R* row) {
  for (int q = 0; q < N; ++q) ((Vector*)to)[q] += ((const Vector*)row)[q];
}

// Adds the rows of the neurons that fired in a step to the input (example, padded).
template <int N>
static void spread(const Spikes& p, long t, const R* rows, R* to, long padded) {
  for (long i = p.step[t]; i < p.step[t + 1]; ++i) {
    const R* row = rows + p.neuron[i] * padded;
    for (long k = p.first[i]; k < p.first[i + 1]; ++k) add<N>(to + p.example[k] * padded, row);
  }
}

// Adds the gradients of the input (example, padded) to the rows of the neurons that fired.
template <int N>
static void gather(const Spikes& p, long t, const R* from, R* rows, long padded) {
  for (long i = p.step[t]; i < p.step[t + 1]; ++i) {
    Vector sums[N], *row = (Vector*)(rows + p.neuron[i] * padded);
    for (int q = 0; q < N; ++q) sums[q] = row[q];
    for (long k = p.first[i]; k < p.first[i + 1]; ++k) {
      const Vector* g = (const Vector*)(from + p.example[k] * padded);
      for (int q = 0; q < N; ++q) sums[q] += g[q];
    }
    for (int q = 0; q < N; ++q) row[q] = sums[q];
  }
}

// Calls `wide(begin)` for each tile of TILE vectors, and `narrow(begin)` for each vector left.
template <class Wide, class Narrow>
static inline void tiled(long padded, Wide wide, Narrow narrow) {
  long begin = 0;
  for (; begin + TILE * V <= padded; begin += TILE * V) wide(begin);
  for (; begin < padded; begin += V) narrow(begin);
}

// Calls `run(thread, first example, examples, first neuron, neurons)` for each block.
template <class Run>
static void blocks(const Sizes& s, Run run) {
  const long per = (s.size + s.width - 1) / s.width;
  const long all = per * ((s.examples + s.group - 1) / s.group);
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long thread = 0; thread < s.threads; ++thread)
    for (long k = thread * all / s.threads; k < (thread + 1) * all / s.threads; ++k) {
      const long begin = k / per * s.group, n = k % per * s.width;
      run(thread, begin, std::min(s.group, s.examples - begin), n, std::min(s.width, s.size - n));
    }
}

typedef std::vector<R> Row;
typedef std::vector<R*> Rows;
typedef std::vector<const R*> Read;

static Group group(const Sizes& s, long count, long n, long w, const R* const* par) {
  Group g = {};
  g.examples = count, g.size = w, g.padded = s.padded, g.first = n, g.steps = s.steps, g.par = par;
  return g;
}

extern "C" void forward(const Sizes& s, const Steps& f, const R* const* in, const R* const* par,
                        const R* times, R* const* out, R* const* total, const Path* paths) {
  const long M = s.size * s.examples, P = s.padded;
  blocks(s, [&](long, long begin, long count, long n, long w) {
    const long at = begin * s.size + n, width = count * w;
    Row carried(s.carried * width), z(width), zero(width), waste(width);
    Row arriving(s.alone() ? 0 : count * P);
    Spikes spikes(s.alone() ? 0 : s.size);
    Rows o(s.recorded), sums(s.summed), unread(s.summed, waste.data());
    Read x(s.inputs);
    for (long k = 0; k < s.summed; ++k) {
      sums[k] = out[s.recorded + s.final + k] + at;
      std::fill_n(sums[k], width, R(0));
    }
    Group g = group(s, count, n, w, par);
    g.carried = carried.data(), g.spikes = z.data(), g.in = x.data(), g.out = o.data();
    f.start(g);
    for (long t = 0; t < s.steps; ++t) {
      g.time = times + t;
      const long row = s.row(t);
      for (long k = 0; k < s.inputs; ++k) x[k] = row < 0 ? zero.data() : in[k] + row * M + at;
      // Thresholds before synapses read random numbers among the inputs.
      if (s.latency == 0) { f.fire(g); spikes.add(z.data(), count, s.size); }
      for (long k = 0; k < s.inputs && !s.alone(); ++k) {
        R* to = total[k] + t * M + at;
        std::copy_n(x[k], width, to);
        x[k] = to;
        R* sum = P == s.size ? to : arriving.data();
        if (sum != to) std::fill(arriving.begin(), arriving.end(), R(0));
        for (const Path* p = paths; p < paths + s.paths; ++p) {
          const long sent = t - p->delay - s.latency;
          if (p->input != k || sent < 0) continue;
          tiled(P,
                [&](long b) { spread<TILE>(spikes, sent, p->rows + b, sum + b, P); },
                [&](long b) { spread<1>(spikes, sent, p->rows + b, sum + b, P); });
        }
        for (long e = 0; sum != to && e < count; ++e)
          for (long i = 0; i < s.size; ++i) to[e * s.size + i] += sum[e * P + i];
      }
      for (long k = 0; k < s.recorded; ++k)
        o[k] = t < s.lead ? waste.data() : out[k] + (t - s.lead) * M + at;
      g.sums = t < s.lead ? unread.data() : sums.data();
      f.step(g);
      if (s.latency > 0) spikes.add(z.data(), count, s.size);
    }
    for (long k = 0; k < s.final; ++k)
      std::copy_n(&carried[s.final_carried[k] * width], width, out[s.recorded + k] + at);
  });
}

// `total` is the whole input of each step if the layer is recurrent, else that of other layers, and
// `to` are its gradients, null where none is needed.
extern "C" void backward(const Sizes& s, const Steps& f, const R* const* par, const R* times,
                         const R* const* grad, R* const* total, const Path* paths, R* const* to,
                         R* const* learned) {
  const long M = s.size * s.examples, P = s.padded;
  blocks(s, [&](long thread, long begin, long count, long n, long w) {
    const long at = begin * s.size + n, width = count * w, wired = s.alone() ? 0 : count * P;
    Row carried(s.carried * width), keep(s.steps * s.carried * width), z(width), more(wired);
    Row later((s.later + s.accumulated) * width), nothing(width), waste(width), copy(wired);
    Spikes spikes(s.alone() ? 0 : s.size);
    Rows d(s.inputs);
    Read x(s.inputs), before(s.inputs), r(s.recorded), q(s.summed);
    Group g = group(s, count, n, w, par);
    g.carried = carried.data(), g.spikes = z.data(), g.later = later.data(), g.in = x.data();
    g.read = r.data(), g.every = q.data(), g.more = more.data(), g.to = d.data();
    g.before = before.data();
    const auto row = [&](long t) { return s.alone() ? s.row(t) : t; };
    const auto arrive = [&](long t) {
      g.time = times + t;
      for (long k = 0; k < s.inputs; ++k)
        x[k] = row(t) < 0 ? nothing.data() : total[k] + row(t) * M + at;
    };
    f.start(g);
    for (long t = 0; t < s.steps; ++t) {
      arrive(t);
      std::copy(carried.begin(), carried.end(), keep.data() + t * s.carried * width);
      f.replay(g);
      if (!s.alone()) spikes.add(z.data(), count, s.size);
    }
    for (long k = 0; k < s.final; ++k)
      if (const R* from = grad[s.recorded + k])
        std::copy_n(from + at, width, &later[s.final_later[k] * width]);
    for (long t = s.steps - 1; t >= 0; --t) {
      if (s.cut && t + 1 < s.steps && (t + 1) % s.cut == 0)
        std::fill_n(later.begin(), s.later * width, R(0));
      g.carried = keep.data() + t * s.carried * width;
      arrive(t);
      for (long k = 0; k < s.inputs; ++k) {
        d[k] = row(t) < 0 || !to[k] ? waste.data() : to[k] + row(t) * M + at;
        before[k] = s.held ? d[k] : nothing.data();
      }
      for (long k = 0; k < s.recorded; ++k)
        r[k] = t < s.lead || !grad[k] ? nothing.data() : grad[k] + (t - s.lead) * M + at;
      for (long k = 0; k < s.summed; ++k) {
        const R* from = grad[s.recorded + s.final + k];
        q[k] = t < s.lead || !from ? nothing.data() : from + at;
      }
      if (s.latency == 0) f.arriving(g);
      std::fill(more.begin(), more.end(), R(0));
      for (const Path* p = paths; p < paths + s.paths; ++p) {
        const long arrival = t + p->delay + s.latency;
        if (arrival < s.steps && (!s.cut || arrival / s.cut == t / s.cut))
          project(to[p->input] + arrival * M + at, count, s.size, p->panels, more.data(), P);
      }
      f.backward(g);
      for (const Path* p = paths; p < paths + s.paths; ++p) {
        const long sent = t - p->delay - s.latency;
        if (!p->gradient || sent < 0) continue;
        const R* from = d[p->input];
        if (P != s.size) {
          for (long e = 0; e < count; ++e)
            std::copy_n(from + e * s.size, s.size, &copy[e * P]);
          from = copy.data();
        }
        R* rows = p->gradient + thread * s.size * P;
        tiled(P,
              [&](long b) { gather<TILE>(spikes, sent, from + b, rows + b, P); },
              [&](long b) { gather<1>(spikes, sent, from + b, rows + b, P); });
      }
    }
    for (long k = 0; k < s.learned; ++k)
      std::copy_n(&later[s.learned_place[k] * width], width, learned[k] + at);
  });
}
