// Who imports Speech has tensors, random streams and the pinned runtime too: its interface is made of
// them.

@_exported import Tensor
