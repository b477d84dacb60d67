"""From a network to ordinary Brian2 objects, and from their monitors back to spikes and images."""
