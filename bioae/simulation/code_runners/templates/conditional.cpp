{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['condition']|autoindent}}
    if (_holds)
    {
        {{scalar_code['statement']|autoindent}}
        const size_t _size = {{constant_or_scalar('N', variables['N'])}};
        for (size_t _idx = 0; _idx < _size; _idx++)
        {
            const size_t _vectorisation_idx = _idx;
            {{vector_code['statement']|autoindent}}
        }
    }
{% endblock %}
