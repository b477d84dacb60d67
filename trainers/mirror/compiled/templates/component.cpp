// All steps of populations that depend on each other's spikes. Each thread runs all steps of some
// examples without waiting for the others. Of the forward pass nothing but the known input is
// stored: the backward pass runs it again, stores the values of all populations at the first step
// of each segment, then goes back segment by segment, each of which it computes once more.
#include <algorithm>
#include <limits>
#include <vector>

// `R`, the type of numbers, and `Group`, the argument of the functions of a step, come before.

// The functions of a step, see `source.py`.
struct Steps { void (*start)(const Group&), (*fire)(const Group&), (*step)(const Group&),
                    (*replay)(const Group&), (*arriving)(const Group&), (*backward)(const Group&); };

// A population. Its period begins at the step `start`; `in` is the known input of each of its
// steps, null where there is none. Without functions, it has run before: `in` is its output.
struct Member {
  long size, start, steps, lead;
  long inputs, recorded, final, summed, carried, later, accumulated, learned;
  const long *final_carried, *final_later, *learned_place;
  const Steps* f;
  const R *const *in, *const *par, *times;
  R* const* out;
  const R* const* grad;
  R *const *to, *const *learned_to;
};

// Synapses of a projection with one delay, by source: targets, weights, and gradients for each
// thread. Dense ones have no list of targets, and weights in panels of sources, by target.
struct Wire { long source, target, input, delay, own, synapses; const long* first; const int* to;
              const R *weight, *panels; R* gradient; };

struct All { long members, wires, examples, threads, latency, cut, segment; };

typedef std::vector<R> Row;

// A population of some examples, from the example `begin` on.
struct State {
  const Member& m;
  const long examples, begin, width;
  Row carried, z, nothing, waste, more, later;
  std::vector<bool> wired;
  std::vector<Row> total, ring;           // the input of a step, and its gradient in some steps
  std::vector<R*> o, sums, unread, d;
  std::vector<const R*> x, read, every;
  std::vector<long> fired{0};             // the spikes until each step, their places and values
  std::vector<int> who;
  Row value;
  Group g = {};

  State(const Member& m, long examples, long begin, long count)
      : m(m), examples(examples), begin(begin), width(count * m.size), carried(m.carried * width),
        z(width), nothing(width), waste(width), more(width),
        later((m.later + m.accumulated) * width), wired(m.inputs), total(m.inputs), ring(m.inputs),
        o(m.recorded), sums(m.summed), unread(m.summed, waste.data()), d(m.inputs), x(m.inputs),
        read(m.recorded), every(m.summed) {
    g.examples = count, g.size = g.padded = m.size, g.steps = m.steps, g.par = m.par;
    g.carried = carried.data(), g.spikes = z.data(), g.later = later.data(), g.more = more.data();
    g.in = x.data(), g.out = o.data(), g.read = read.data(), g.every = every.data();
    g.to = d.data();
    for (long k = 0; k < m.summed; ++k) sums[k] = m.out[m.recorded + m.final + k] + begin * m.size;
    for (long t = 0; !m.f && t < m.steps; ++t) note(m.in[0] + at(t));
  }

  bool active(long t) const { return m.f && m.start <= t && t < m.start + m.steps; }
  // The place of a row of these examples in an array of all, (step, example, neuron).
  long at(long step) const { return (step * examples + begin) * m.size; }

  void note(const R* sent) {
    for (long i = 0; i < width; ++i)
      if (sent[i] != 0) { who.push_back(int(i)); value.push_back(sent[i]); }
    fired.push_back(long(who.size()));
  }
};

enum Mode { WRITE, REPLAY, KEEP };  // results; spikes; values and input of each step

struct Component {
  const All& s;
  const Wire* wires;
  std::vector<State> states;
  long first, last, slots = 1;

  Component(const All& s, const Member* members, const Wire* wires, long begin, long count)
      : s(s), wires(wires), first(std::numeric_limits<long>::max()), last(0) {
    states.reserve(s.members);
    for (long k = 0; k < s.members; ++k) {
      states.emplace_back(members[k], s.examples, begin, count);
      if (!members[k].f) continue;
      first = std::min(first, members[k].start);
      last = std::max(last, members[k].start + members[k].steps);
    }
    for (const Wire* w = wires; w < wires + s.wires; ++w) {
      State& p = states[w->target];
      p.wired[w->input] = true;
      p.total[w->input].resize(p.width);
      if (states[w->source].m.f) slots = std::max(slots, w->delay + s.latency + 1);
    }
  }

  // Calls `each(neuron, row of the target, value)` for what a wire delivers in a step.
  template <class Each>
  void delivered(const Wire& w, long t, Each each) const {
    const State &from = states[w.source], &to = states[w.target];
    const long place = t - from.m.start - w.delay - s.latency;
    if (place < (w.own ? 0 : from.m.lead) || place + 1 >= long(from.fired.size())) return;
    for (long k = from.fired[place]; k < from.fired[place + 1]; ++k)
      each(from.who[k] % from.m.size, from.who[k] / from.m.size * to.m.size, from.value[k]);
  }

  // Calls `each(place of the weight, target)` for the synapses of a neuron.
  template <class Each>
  void joined(const Wire& w, long i, Each each) const {
    if (w.to) {
      for (long c = w.first[i]; c < w.first[i + 1]; ++c) each(c, w.to[c]);
    } else {
      const long size = states[w.target].m.size;
      #pragma omp simd
      for (long c = 0; c < size; ++c) each(i * size + c, c);
    }
  }

  // Sets the time, and the inputs that are known before: of other components, and random numbers.
  void begin(State& p, long t) const {
    const long place = t - p.m.start;
    p.g.time = p.m.times + place;
    for (long k = 0; k < p.m.inputs; ++k)
      p.x[k] = p.m.in[k] ? p.m.in[k] + p.at(place) : p.nothing.data();
  }

  void arrive(long index, long t) {
    State& p = states[index];
    begin(p, t);
    for (long k = 0; k < p.m.inputs; ++k) {
      if (!p.wired[k]) continue;
      std::copy_n(p.x[k], p.width, p.total[k].data());
      p.x[k] = p.total[k].data();
    }
    for (const Wire* w = wires; w < wires + s.wires; ++w) {
      if (w->target != index) continue;
      delivered(*w, t, [&](long i, long row, R value) {
        R* sum = p.total[w->input].data() + row;
        const R* weight = w->weight;
        joined(*w, i, [=](long c, long to) { sum[to] += value * weight[c]; });
      });
    }
  }

  void step(long t, Mode mode) {
    for (State& p : states) {
      if (p.active(t) && t == p.m.start) p.m.f->start(p.g);
      if (s.latency || mode == KEEP || !p.active(t)) continue;
      begin(p, t);
      p.m.f->fire(p.g);
      p.note(p.z.data());
    }
    for (long k = 0; k < s.members; ++k)
      if (states[k].active(t)) arrive(k, t);
    for (State& p : states)
      if (p.active(t)) advance(p, t, mode);
  }

  void advance(State& p, long t, Mode mode) {
    const long place = t - p.m.start - p.m.lead;
    for (long k = 0; k < p.m.recorded; ++k)
      p.o[k] = place < 0 ? p.waste.data() : p.m.out[k] + p.at(place);
    p.g.sums = place < 0 ? p.unread.data() : p.sums.data();
    (mode == WRITE ? p.m.f->step : p.m.f->replay)(p.g);
    if (s.latency && mode != KEEP) p.note(p.z.data());
  }

  void forward() {
    for (State& p : states)
      for (R* sum : p.sums) std::fill_n(sum, p.width, R(0));
    for (long t = first; t < last; ++t) step(t, WRITE);
    for (State& p : states)
      for (long k = 0; k < p.m.final; ++k)
        std::copy_n(&p.carried[p.m.final_carried[k] * p.width], p.width,
                    p.m.out[p.m.recorded + k] + p.at(0));
  }

  // The values that all populations carry, one after another.
  Row values() const {
    Row all;
    for (const State& p : states) all.insert(all.end(), p.carried.begin(), p.carried.end());
    return all;
  }

  void backward(long thread) {
    std::vector<Row> starts;
    for (long t = first; t < last; ++t) {
      if ((t - first) % s.segment == 0) starts.push_back(values());
      step(t, REPLAY);
    }
    for (State& p : states) {
      for (long k = 0; k < p.m.inputs; ++k)
        if (p.wired[k]) p.ring[k].resize(slots * p.width);
      for (long k = 0; k < p.m.final; ++k)
        if (const R* from = p.m.grad[p.m.recorded + k])
          std::copy_n(from + p.at(0), p.width, &p.later[p.m.final_later[k] * p.width]);
    }
    for (long c = long(starts.size()) - 1; c >= 0; --c) {
      const long begin = first + c * s.segment, end = std::min(begin + s.segment, last);
      const R* from = starts[c].data();
      for (State& p : states) {
        std::copy_n(from, p.carried.size(), p.carried.data());
        p.g.carried = p.carried.data();
        from += p.carried.size();
      }
      // By step and population: the values before the step, then the input that wires deliver.
      std::vector<std::vector<Row>> kept;
      for (long t = begin; t < end; ++t) {
        kept.push_back({});
        for (State& p : states) {
          if (p.active(t) && t == p.m.start) p.m.f->start(p.g);
          kept.back().push_back(p.carried);
        }
        step(t, KEEP);
        for (const State& p : states)
          for (const Row& each : p.total) kept.back().push_back(each);
      }
      for (long t = end - 1; t >= begin; --t) back(t, kept[t - begin], thread);
      starts.pop_back();
    }
    for (State& p : states)
      for (long k = 0; k < p.m.learned; ++k)
        std::copy_n(&p.later[p.m.learned_place[k] * p.width], p.width,
                    p.m.learned_to[k] + p.at(0));
  }

  void back(long t, std::vector<Row>& kept, long thread) {
    long place = s.members;
    for (long k = 0; k < s.members; place += states[k++].m.inputs)
      if (states[k].active(t)) prepare(states[k], t, kept[k], &kept[place]);
    for (long k = 0; k < s.members; ++k) {
      if (!states[k].active(t)) continue;
      spread(k, t);
      states[k].m.f->backward(states[k].g);
    }
    for (const Wire* w = wires; w < wires + s.wires; ++w) {
      if (!w->gradient || !states[w->target].active(t)) continue;
      R* sums = w->gradient + thread * w->synapses;
      const R* d = states[w->target].d[w->input];
      delivered(*w, t, [&](long i, long row, R value) {
        joined(*w, i, [=](long c, long to) { sums[c] += value * d[row + to]; });
      });
    }
    for (const Wire* w = wires; w < wires + s.wires; ++w) {
      const State &from = states[w->source], &to = states[w->target];
      const long sent = t - from.m.start - w->delay - s.latency;
      if (!from.m.f && from.m.to[0] && to.active(t) && 0 <= sent && sent < from.m.steps)
        project(*w, from, to.d[w->input], from.m.to[0] + from.at(sent));
    }
    for (State& p : states)
      for (long k = 0; p.active(t) && k < p.m.inputs; ++k)
        if (p.wired[k] && p.m.to[k])
          std::copy_n(p.d[k], p.width, p.m.to[k] + p.at(t - p.m.start));
  }

  void prepare(State& p, long t, Row& carried, Row* total) {
    const Member& m = p.m;
    const long place = t - m.start, row = p.at(place - m.lead);
    if (s.cut && (t + 1 - first) % s.cut == 0 && place + 1 < m.steps)
      std::fill_n(p.later.begin(), m.later * p.width, R(0));
    p.g.time = m.times + place;
    p.g.carried = carried.data();
    for (long k = 0; k < m.inputs; ++k) {
      p.x[k] = p.wired[k] ? total[k].data() : m.in[k] ? m.in[k] + p.at(place) : p.nothing.data();
      p.d[k] = p.wired[k] ? &p.ring[k][t % slots * p.width]
               : m.to[k]  ? m.to[k] + p.at(place)
                          : p.waste.data();
    }
    for (long k = 0; k < m.recorded; ++k)
      p.read[k] = place < m.lead || !m.grad[k] ? p.nothing.data() : m.grad[k] + row;
    for (long k = 0; k < m.summed; ++k) {
      const R* from = m.grad[m.recorded + m.final + k];
      p.every[k] = place < m.lead || !from ? p.nothing.data() : from + p.at(0);
    }
    if (!s.latency) m.f->arriving(p.g);
  }

  // The gradient of the spikes of a step, through the input to which they are delivered.
  void spread(long index, long t) {
    State& p = states[index];
    std::fill(p.more.begin(), p.more.end(), R(0));
    for (const Wire* w = wires; w < wires + s.wires; ++w) {
      const long arrival = t + w->delay + s.latency;
      const State& to = states[w->target];
      if (w->source != index || !to.active(arrival)) continue;
      if (!w->own && t - p.m.start < p.m.lead) continue;
      if (s.cut && (arrival - first) / s.cut != (t - first) / s.cut) continue;
      project(*w, p, &to.ring[w->input][arrival % slots * to.width], p.more.data());
    }
  }

  // Adds the products of gradients of a wire's targets with its weights to those of its sources.
  void project(const Wire& w, const State& from, const R* d, R* sums) const {
    if (w.panels) {
      const long padded = (from.m.size + PANEL * V - 1) / (PANEL * V) * PANEL * V;
      Row wide(from.g.examples * padded);
      ::project(d, from.g.examples, states[w.target].m.size, w.panels, wide.data(), padded);
      for (long e = 0; e < from.g.examples; ++e)
        for (long i = 0; i < from.m.size; ++i) sums[e * from.m.size + i] += wide[e * padded + i];
      return;
    }
    for (long e = 0; e < from.g.examples; ++e, d += states[w.target].m.size)
      for (long i = 0; i < from.m.size; ++i, ++sums) {
        R sum = 0;
        #pragma omp simd reduction(+ : sum)
        for (long c = w.first[i]; c < w.first[i + 1]; ++c) sum += w.weight[c] * d[w.to[c]];
        *sums += sum;
      }
  }
};

template <class Run>
static void each(const All& s, const Member* members, const Wire* wires, Run run) {
  #pragma omp parallel for num_threads(s.threads) schedule(static)
  for (long thread = 0; thread < s.threads; ++thread) {
    const long begin = thread * s.examples / s.threads;
    Component component(s, members, wires, begin, (thread + 1) * s.examples / s.threads - begin);
    run(component, thread);
  }
}

extern "C" void forward(const All& s, const Member* members, const Wire* wires) {
  each(s, members, wires, [](Component& c, long) { c.forward(); });
}

extern "C" void backward(const All& s, const Member* members, const Wire* wires) {
  each(s, members, wires, [](Component& c, long thread) { c.backward(thread); });
}
