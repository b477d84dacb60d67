// The argument of the functions of a step: a block of neurons, from the neuron `first` of each
// example on. Arrays are (example, neuron), those with two stars of several names; `more` has rows
// of `padded` numbers.
struct Group {
  long examples, size, padded, first, steps;
  const R *time, *const *par;
  R *carried, *spikes, *later;
  const R *const *in, *const *read, *const *every, *const *before, *more;
  R *const *out, *const *sums, *const *to;
};
