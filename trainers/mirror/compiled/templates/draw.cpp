// Random numbers of some steps: rows of neurons by step and example. `REAL`, the type of numbers,
// and `FUNCTION` of a random word come before.
extern "C" void draw(REAL *numbers, const int64_t *steps, const int64_t *examples,
                     const int64_t *populations, const int64_t *sizes)
{
    const int64_t rows = sizes[0], width = sizes[1], count = sizes[2];
    #pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t example = row % width;
        uint64_t words[4], place[6] = {0, uint64_t(steps[row / width]), uint64_t(sizes[3])};
        place[3] = populations[example], place[4] = sizes[4], place[5] = examples[example];
        for (int64_t neuron = 0; neuron < count; neuron++) {
            if (neuron % 4 == 0)
                place[0]++, bioae_philox(place, words);
            numbers[row * count + neuron] = FUNCTION(words[neuron % 4]);
        }
    }
}
