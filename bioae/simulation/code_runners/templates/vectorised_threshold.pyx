{# USES_VARIABLES { N } #}
{% extends 'threshold.pyx' %}

{# Brian2 clears the spikes when a run ends. Where synapses come before thresholds they are still to
   be delivered, in the next run. #}
{% block after_code %}
# EMPTY_CODE_BLOCK
{% endblock %}
