{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    if (_holds)
    {
        {% set _w = get_array_name(weight) %}
        {% set _target = get_array_name(listed[0]) + '[_idx]' if listed else '_idx % ' + targets|string %}
        static double _factors[{{targets}}];
        for (int _j = 0; _j < {{targets}}; _j++)
            _factors[_j] = 0;
        for (int _idx = 0; _idx < {{constant_or_scalar('N', variables['N'])}}; _idx++)
            _factors[{{_target}}] += {{_w}}[_idx];
        for (int _j = 0; _j < {{targets}}; _j++)
            _factors[_j] = _factors[_j] > 0 ? {{total}}/_factors[_j] : 1;
        for (int _idx = 0; _idx < {{constant_or_scalar('N', variables['N'])}}; _idx++)
        {
            {% if on_grid %}
            {{_w}}[_idx] = rint({{_w}}[_idx]*_factors[{{_target}}]*{{2.0**24}})/{{2.0**24}};
            {% else %}
            {{_w}}[_idx] = {{_w}}[_idx]*_factors[{{_target}}];
            {% endif %}
        }
        {% if copied %}
        {{get_array_name(copied[0])}}[0] = 0;
        {% endif %}
    }
{% endblock %}
