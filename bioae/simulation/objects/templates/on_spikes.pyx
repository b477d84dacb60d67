{# USES_VARIABLES { _spikes_of, _neurons } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    cdef int32_t _spike
    _vectorisation_idx = 1
    {{scalar_code['condition']|autoindent}}
    if _holds:
        {{scalar_code['statement']|autoindent}}
        for _spike in range({{_spikes_of}}[_neurons]):
            _idx = {{_spikes_of}}[_spike]
            _vectorisation_idx = _idx
            {{vector_code['statement']|autoindent}}
{% endblock %}
