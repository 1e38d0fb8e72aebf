// What was written for every recording, and which neurons mend: for a reader, and for another program that
// repeats it.

import Interventions

/// The interventions whose texts are kept.
private let shown: [NoiseArm] = [
  .nothing, .denoiser, .recentre(.causal), .neurons(.causal, .patch(.denoised)),
  .neurons(.sensitive, .patch(.denoised)), .neurons(.causal, .patch(.oracle)),
  .neurons(.sensitive, .patch(.oracle)), .part(.causal, .oracle),
]

/// The first line of ``noisyTextsTable(_:_:_:_:)``.
public let noisyTextsColumns =
  (["model", "recording", "said"] + shown.map(\.name)).joined(separator: "\t") + "\n"

/// What one model wrote for each recording, one a line; nothing where an intervention has no strength.
public func noisyTextsTable(
  _ model: String, _ recordings: [NoisyRecording], _ heard: [HeardInNoise],
  _ strengths: [NoiseArm: NoiseStrength]
) -> String {
  zip(recordings, heard).map { recording, heard in
    let texts = shown.map { arm in strengths[arm].flatMap { heard[arm, $0].first } ?? "" }
    return ([model, recording.id, recording.text] + texts).joined(separator: "\t") + "\n"
  }.joined()
}

/// The first line of ``mendingTable(_:_:)``.
public let mendingColumns = "model\tlayer\tneuron\tnats a token\n"

/// What each neuron of the encoder mends, the most first.
public func mendingTable(_ model: String, _ tools: NoiseTools) -> String {
  let all = tools.mending.enumerated().flatMap { layer, row in
    row.enumerated().map { (layer: layer, neuron: $0.offset, value: $0.element) }
  }
  return all.sorted { ($1.value, $0.layer, $0.neuron) < ($0.value, $1.layer, $1.neuron) }
    .map { "\(model)\t\($0.layer)\t\($0.neuron)\t\($0.value)\n" }.joined()
}
