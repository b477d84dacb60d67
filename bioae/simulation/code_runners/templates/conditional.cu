{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cu' %}

{% block kernel_maincode %}
    {{scalar_code['condition']|autoindent}}
    if (_holds)
    {
        {{scalar_code['statement']|autoindent}}
        {
            {{vector_code['statement']|autoindent}}
        }
    }
{% endblock %}
