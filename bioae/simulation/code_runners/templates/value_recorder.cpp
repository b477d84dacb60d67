{# USES_VARIABLES { N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { values } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    if (_holds)
    {
        {% set _values = get_array_name(variables['values'], access_data=False) %}
        {% set _recorded = get_array_name(recorded_variable) %}
        {{_values}}.insert({{_values}}.end(), {{_recorded}}, {{_recorded}} + N);
    }
{% endblock %}
