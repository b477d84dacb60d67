"""Brian2's private parts: everything here depends on internals that a new Brian2 may change.

All use of private attributes, of undocumented classes, and all edits of generated sources belong
here; the rest of bioae imports from `brian2` itself. The other places are
`bioae.equations.lowering.probing` and `bioae.equations.groups` (``NeuronGroup._refractory``), since
equations import nothing of bioae but its errors; the contract of the former is tested in
`tests/equations/lowering/test_brian2_contract.py`, that of the latter in
`tests/equations/test_groups.py`. This folder knows nothing of networks, and imports only Brian2 and
NumPy. `tests/simulation/brian2_internals` names each part that it uses and fails where a new Brian2
changes it; ``make test-brian2`` runs the tests of both contracts, and simulations, with every
supported release.

`groups` uses

- ``NeuronGroup._create_variables``, ``_N``, ``state_updater._get_refractory_code``,
  ``subexpression_updater``, and ``_variables`` of `brian2.core.variables.Variables`, in which
  groups keep their variables;
- ``abstract_code`` and ``check_units`` of code runners, ``create_default_code_object``,
  ``codeobj_class`` and ``template``; ``code_object_class`` of devices, and the templaters of code
  objects, which can be derived;
- ``Nameable``, ``Variables`` and ``_enable_group_attributes``, to make groups that are not groups
  of neurons; ``Variable.scalar``;
- ``Trackable.__instancefollower__``, the names of all objects that exist;
- ``_network``, the network of an object, and ``compiled_code``, the compiled blocks of a code
  object, with the mark ``EMPTY_CODE_BLOCK`` of templates.

`standalone` uses the device's ``main_queue`` with its entries ``set_by_single_value``,
``set_by_constant``, ``run_network`` and ``insert_code``; ``static_arrays`` and their names in C++;
``results_dir`` and ``has_been_run``; and ``generator_class``.

`sources` relies on the names of generated files, on ``SRCS`` and ``OPTIMISATIONS`` in the
makefile, on ``make.deps`` (until Brian2 2.10), and on the form of generated sources: helpers in an
unnamed namespace, then ``using namespace brian;``.

`scripts` reads ``Synapses._pathways``, ``PoissonInput._group``, ``PoissonGroup._rates``,
``SpikeGeneratorGroup._spike_time`` and ``_neuron_index``.

`cuda` uses the same of brian2cuda, ``code.cu_file``, ``copy_source_files`` and its cached search
for GPUs. It imports brian2cuda, so that nothing here imports it.

Templates of other folders extend Brian2's ``common_group`` and ``threshold``, and use their blocks
and functions.
"""
