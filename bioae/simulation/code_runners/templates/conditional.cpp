{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['condition']|autoindent}}
    if (_holds)
    {
        {{scalar_code['statement']|autoindent}}
        for (size_t _idx = 0; _idx < N; _idx++)
        {
            const size_t _vectorisation_idx = _idx;
            {{vector_code['statement']|autoindent}}
        }
    }
{% endblock %}
