{# USES_VARIABLES { N, _spikespace } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    {{get_array_name(count_variable)}}[0] = _holds ? {{_spikespace}}[N] : 0;
{% endblock %}
