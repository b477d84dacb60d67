{# USES_VARIABLES { N } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    _vectorisation_idx = 1
    {{scalar_code|autoindent}}
    if _holds:
        from brian2 import stop
        stop()
{% endblock %}
