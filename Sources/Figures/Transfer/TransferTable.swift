// The tables of Figure 3: every plotted value, every crossing, and the subspaces that were exchanged.

import Interventions
import JSON
import Tensor

/// Every plotted value, one a line.
func transferTable(_ models: [TransferPanel]) -> String {
  var lines = ["model\tpanel\tseries\tplace\tvalue\tlow\thigh"]
  func add(_ start: String, _ value: Estimate) {
    lines.append("\(start)\t\(value.value)\t\(value.low)\t\(value.high)")
  }
  for model in models {
    for (arm, shares) in model.shares {
      for (name, value) in [
        ("source text", shares.sourceText), ("base text", shares.baseText),
        ("source word", shares.sourceWord), ("base voice", shares.baseVoice),
        ("source voice", shares.sourceVoice), ("word errors", shares.errors),
        ("content", shares.content), ("voice", shares.voice),
      ] {
        add("\(model.name)\ttransfer\t\(arm)\t\(name)", value)
      }
    }
    for (part, found) in [("lexical", model.lexical), ("voice", model.voice)] {
      for curve in found.curves {
        for (i, size) in curve.sizes.enumerated() {
          let start = "\(model.name)\t\(part)\t\(curve.method)"
          add("\(start), sufficiency\t\(size)", curve.sufficiency[i])
          add("\(start), necessity\t\(size)", curve.necessity[i])
        }
      }
      let controls = found.controls
      for (name, values) in [
        ("reverse order", controls.reversed), ("random order", controls.shuffled),
        ("same length", controls.norm),
      ] {
        for (size, value) in zip(found.curve.sizes, values) {
          lines.append("\(model.name)\t\(part)\t\(found.method), \(name)\t\(size)\t\(value)\t\t")
        }
      }
    }
    for (name, matrix) in [("lexical", model.matrix), ("whole", model.wholeMatrix)] {
      for (source, row) in zip(Condition.allCases, matrix) {
        for (base, value) in zip(Condition.allCases, row) {
          lines.append(
            "\(model.name)\tconditions\t\(name)\t\(source.rawValue) into \(base.rawValue)\t"
              + "\(value.map { "\($0)" } ?? "NA")\t\t")
        }
      }
    }
    for point in model.simplex {
      let weights = point.weights.map { "\($0)" }.joined(separator: " ")
      lines.append("\(model.name)\tsimplex\tclean noise speaker\t\(weights)\t\(point.recovery)\t\t")
    }
    for (i, value) in model.path.enumerated() {
      lines.append("\(model.name)\tpath\tclean\t\(i)\t\(value)\t\t")
    }
  }
  return lines.joined(separator: "\n") + "\n"
}

/// What was said in each crossing, one line an arm: logit differences in nats, and the greedy answers.
public func crossingsTable(_ name: String, _ items: [(id: String, said: Transferred)]) -> String {
  items.flatMap { id, item in
    ([("source run", item.source), ("text run", item.text), ("speaker run", item.speaker)]
      + TransferArm.allCases.compactMap { arm in
        item.arms[arm.rawValue].map { (arm.rawValue, $0) }
      }).map { arm, said in
        "\(name)\t\(id)\t\(arm)\t\(said.content)\t\(said.voice)\t\(said.word)\t\(said.transcript)\t"
          + "\(said.speaker)\n"
      }
  }.joined()
}

/// The first line of ``crossingsTable(_:_:)``.
public let crossingsColumns =
  "model\tcrossing\tarm\tLD of words\tLD of speakers\tanswer\ttranscript\tspeaker\n"

extension Subspace {
  /// Patterns and readouts, a list a direction.
  public var json: JSON {
    func columns(_ basis: DoubleMatrix) -> JSON {
      let rows = basis.transposed
      return .array((0..<rows.rows).map { .array(rows.row($0).map { .number($0) }) })
    }
    return ["patterns": columns(patterns), "readouts": columns(readouts)]
  }
}
