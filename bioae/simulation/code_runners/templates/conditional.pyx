{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    _vectorisation_idx = 1
    {{scalar_code['condition']|autoindent}}
    if _holds:
        {{scalar_code['statement']|autoindent}}
        for _idx in range(N):
            _vectorisation_idx = _idx
            {{vector_code['statement']|autoindent}}
{% endblock %}
