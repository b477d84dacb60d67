{# USES_VARIABLES { N, _spikespace } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    _vectorisation_idx = 1
    {{scalar_code|autoindent}}
    {{get_array_name(count_variable)}}[0] = {{_spikespace}}[N] if _holds else 0
{% endblock %}
