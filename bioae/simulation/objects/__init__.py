"""From a network to Brian2 objects, and from their monitors back to spikes and images."""
