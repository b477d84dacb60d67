{# USES_VARIABLES { N, _spikespace } #}
{% extends 'common_group.cu' %}

{% block kernel_maincode %}
    {{scalar_code|autoindent}}
    // All threads write the same number.
    {{get_array_name(count_variable)}}[0] = _holds ? {{_spikespace}}[N] : 0;
{% endblock %}
