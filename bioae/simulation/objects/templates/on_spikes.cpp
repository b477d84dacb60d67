{# USES_VARIABLES { _spikes_of, _neurons } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['condition']|autoindent}}
    if (_holds)
    {
        {{scalar_code['statement']|autoindent}}
        for (int32_t _spike = 0; _spike < {{_spikes_of}}[_neurons]; _spike++)
        {
            const size_t _idx = {{_spikes_of}}[_spike];
            const size_t _vectorisation_idx = _idx;
            {{vector_code['statement']|autoindent}}
        }
    }
{% endblock %}
