{# USES_VARIABLES { N, held, bioae_step, bioae_offset, bioae_seed, bioae_example, bioae_shown } #}
{% extends 'threshold.cpp' %}

{% block extra_headers %}
namespace {
{{noise}}
}
{% endblock %}

{% block maincode %}
    {% set _spikes = get_array_name(eventspace_variable) %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    const uint64_t _first = (uint64_t){{bioae_step}}*N;
    int32_t _count = 0;
    if ({{bioae_step}} < {{steps}})
    {
        // Neurons that hold 0 draw nothing: numbers depend on no other's. Listed once for as long
        // as neurons hold the same, with the blocks of four numbers that they share.
        static int32_t _neurons[N], _place[N], _blocks[N + 1], _n_neurons, _n_blocks;
        static uint64_t _words[N + 1][4];
        {% if same_in_all_steps %}
        if ({{bioae_step}} == 0)
        {% endif %}
        {
            _n_neurons = _n_blocks = 0;
            for (int32_t _idx = 0; _idx < N; _idx++)
                if ({{held}}[_idx] != 0)
                {
                    const int32_t _at = _first%4 + _idx;
                    if (_n_blocks == 0 || _blocks[_n_blocks - 1] != _at/4)
                        _blocks[_n_blocks++] = _at/4;
                    _neurons[_n_neurons] = _idx;
                    _place[_n_neurons++] = 4*(_n_blocks - 1) + _at%4;
                }
        }
        // No branch depends on what is drawn, so that the processor works ahead.
        for (int32_t _k = 0; _k < _n_blocks; _k++)
        {
            const uint64_t _counter[6] = {
                _first/4 + _blocks[_k] + 1, 0, 0, (uint64_t){{bioae_offset}}[{{bioae_shown}}],
                (uint64_t){{bioae_seed}}, (uint64_t){{bioae_example}}[{{bioae_shown}}]};
            bioae_philox(_counter, _words[_k]);
        }
        for (int32_t _k = 0; _k < _n_neurons; _k++)
        {
            const size_t _idx = _neurons[_k];
            const size_t _vectorisation_idx = _idx;
            const double bioae_drawn = bioae_unit((&_words[0][0])[_place[_k]]);
            {{vector_code|autoindent}}
            {{_spikes}}[_count] = _idx;
            _count += _cond ? 1 : 0;
        }
    }
    {{_spikes}}[N] = _count;
{% endblock %}

{% block after_code %}
// EMPTY_CODE_BLOCK: as in vectorised_threshold.cpp
{% endblock %}
