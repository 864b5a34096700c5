"""Networks, one module each, by the name that a bundle's manifest gives.

An architecture is a pure function from weights and encoded texts to logits; training and serving
run the same one. It knows nothing of files, thresholds or optimisers.
"""

from collections.abc import Mapping

from stream_detector.models.architectures.base import Architecture
from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.architectures.study_networks import CnnLstm, LstmEmbed, LstmOneHot
from stream_detector.models.architectures.wide_bilstm import WideBiLstm

ARCHITECTURES: Mapping[str, type[Architecture]] = {
    architecture.name: architecture
    for architecture in (WideBiLstm, BiLstm, LstmEmbed, LstmOneHot, CnnLstm)
}
"""What a manifest may name."""
