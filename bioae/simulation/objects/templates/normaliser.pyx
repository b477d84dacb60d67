{# USES_VARIABLES { N } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    _vectorisation_idx = 1
    {{scalar_code|autoindent}}
    {% set _w = get_array_name(weight) %}
    {% set _target = get_array_name(listed[0]) + '[_idx]' if listed else '_idx % ' + targets|string %}
    cdef double[{{targets}}] _factors
    cdef int _j
    if _holds:
        for _j in range({{targets}}):
            _factors[_j] = 0
        for _idx in range({{constant_or_scalar('N', variables['N'])}}):
            _factors[{{_target}}] += {{_w}}[_idx]
        for _j in range({{targets}}):
            _factors[_j] = {{total}}/_factors[_j] if _factors[_j] > 0 else 1
        for _idx in range({{constant_or_scalar('N', variables['N'])}}):
            {% if on_grid %}
            {{_w}}[_idx] = _rint({{_w}}[_idx]*_factors[{{_target}}]*{{2.0**24}})/{{2.0**24}}
            {% else %}
            {{_w}}[_idx] = {{_w}}[_idx]*_factors[{{_target}}]
            {% endif %}
{% endblock %}

{% block template_support_code %}
cdef extern from "math.h":
    double _rint "rint" (double)
{% endblock %}
