// A path of inputs from the base run to the source run, for conductance and integrated gradients.

import Speech
import Tensor

/// What moves along the path, from its value in the base run to that in the source run.
public enum PathStart: Hashable, Sendable, CustomStringConvertible {
  /// The log-mel features, and the filterbank features where a second encoder hears those.
  case features
  /// The activation of a site at all of its positions, such as `connector.out`.
  case site(Site)

  public var description: String {
    switch self {
    case .features: "features"
    case .site(let site): "\(site)"
    }
  }
}

extension SpeechLanguageModel {
  /// The features where the model hears log-mel; else what enters the language model, as a codec's
  /// codes cannot be halfway.
  public var defaultPathStart: PathStart {
    sites.contains(Site(.encoder, .embed)) ? .features : .site(Site(.lm, .embed))
  }
}

/// The path from a base run to its source run, both aligned. At its end stands the source run's sound
/// laid onto the base run's time: where both have one length and are joined position for position,
/// the source run itself.
struct InputPath {
  let start: PathStart
  private let base: Trace
  private let clip: Clip?
  private let selection: Selection?

  init(_ start: PathStart, from base: Trace, to source: Trace, _ alignment: Alignment) throws {
    self.start = start
    self.base = base
    switch start {
    case .features:
      clip = try source.question.clip.laid(onto: base.question.clip, alignment)
      selection = nil
    case .site(let site):
      clip = nil
      selection = try Selection(Cell(site), base: base, source: source, alignment)
    }
  }

  /// The run at a share of the way.
  func trace(
    at alpha: Double, _ model: any SpeechLanguageModel, keeping sites: [Site], recording: Bool
  ) throws -> Trace {
    var question = base.question
    // How many tokens there are must not change on the way.
    question.input.kept = base.spliced
    var patches: [Patch] = []
    if let clip { question.input.clip = question.clip.towards(clip, by: Float(alpha)) }
    if let selection { patches = [selection.patch(by: Float(alpha))] }
    return try model.trace(
      question, keeping: sites, recording: recording, patches: patches, like: base)
  }
}

extension Clip {
  /// The features of this clip at the moments of another.
  ///
  /// - Throws: where there are no features, or the alignment leaves moments without one.
  fileprivate func laid(onto base: Clip, _ alignment: Alignment) throws -> Clip {
    guard base.validFrames > 0, validFrames > 0 else {
      throw CellError("the model hears no log-mel features; begin the path at a site")
    }
    func laid(_ x: Tensor, _ own: Int, _ rows: Int, _ count: Int) throws -> Tensor {
      // Frame i is centred on 10 i ms. What follows the sound is the features of silence.
      func place(_ frames: Int) -> Place {
        Place(
          rows: Array(0..<frames),
          spans: (0..<frames).map { TimeSpan(10 * Double($0) - 5, 10 * Double($0) + 5) })
      }
      let heard = Array(0..<count)
      let resampling = try alignment.resampling(
        heard, from: place(count), to: place(own), of: Site(.encoder, .embed))
      let sound = resampling { gatherRows(x, $0) }
      let silence = (count..<rows).map { min(max($0, own), x.rows - 1) }
      return silence.isEmpty ? sound : joiningRows([sound, gatherRows(x, silence)])
    }
    return Clip(
      mel: try laid(mel, validFrames, base.mel.rows, base.validFrames),
      validFrames: base.validFrames,
      filterbank: try filterbank.map { own in
        guard let theirs = base.filterbank else { return own }
        return try laid(own, own.rows, theirs.rows, theirs.rows)
      })
  }

  /// The features a share of the way to another clip's.
  fileprivate func towards(_ end: Clip, by alpha: Float) -> Clip {
    func mixed(_ a: Tensor, _ b: Tensor) -> Tensor {
      alpha == 0 ? a : alpha == 1 ? b : a + (b - a) * alpha
    }
    return Clip(
      mel: mixed(mel, end.mel), validFrames: validFrames,
      filterbank: filterbank.flatMap { own in end.filterbank.map { mixed(own, $0) } })
  }
}
