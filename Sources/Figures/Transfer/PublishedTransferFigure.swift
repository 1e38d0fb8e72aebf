// Figure S9: transfer in one speech language model of two published halves, with both subspaces' curves
// and what a probe hears.

import Interventions
import Plot

/// Above, for each arm, whose text is written and who is named; below, recovery by the number of
/// directions of the word and of the speaker, and whom probes take the speaker for.
public func publishedTransferFigure(_ model: TransferPanel, _ probes: ProbeReadings)
  -> DrawnFigure
{
  let arms = model.shares.map(\.0)
  let above = 4.8 * Double(arms.count) + 24
  var figure = Figure(width: Figure.full, height: above + 62)
  let rows = figure.area.rows([above, 56], gap: 3)
  addShares([model], arms, to: &figure, in: rows[0])
  let below = rows[1].columns([58, 58, 60], gap: 1)
  figure.add(
    saturation(model.lexical, "d", "The word: \(model.lexical.method)", in: below[0]))
  figure.add(saturation(model.voice, "e", "The speaker: \(model.voice.method)", in: below[1]))
  figure.add(heard(probes, in: below[2]))
  return DrawnFigure(
    drawing: figure, table: transferTable([model]) + probeLines(model.name, probes),
    caption: caption)
}

private let caption =
  "Share of crossings whose transcript is the source's text, that name the base's speaker and that name "
  + "the source's, when a part of the projector's output is taken from a source that differs in text and "
  + "speaker, beside an unrelated item, another moment and random moves of the same length; recovery by "
  + "the number of directions, beside other orders and random directions; and how often a linear probe "
  + "reads the base's speaker, where the patch is made and further up."

/// The arms that probes read, in the order in which they are drawn.
private let probedArms: [TransferArm] = [.base, .lexical, .voice, .sound]

private func heard(_ probes: ProbeReadings, in area: Rect) -> Panel {
  var marks: [any Mark] = [ReferenceLine.horizontal(0.5)]
  var entries: [LegendEntry] = []
  for (s, site) in ["projector", "two thirds up"].enumerated() {
    let pen = Pen(Palette.categories[s], width: 0.9)
    let points = probedArms.enumerated().compactMap { a, arm in
      probes.arms[arm.rawValue].map { read in
        Datum(
          Double(a) + 0.5 + (s == 0 ? -0.1 : 0.1), read.baseVoice[s].value,
          read.baseVoice[s].interval)
      }
    }
    marks.append(Whiskers(points, pen))
    marks.append(Points(points, transferSymbols[s], pen.color, size: 1.1))
    entries.append(LegendEntry(site, .symbol(transferSymbols[s], pen.color)))
  }
  marks.append(Legend(.bottomLeft, entries))
  return Panel(
    "f", "A probe hears the base's speaker", in: area,
    x: .categories("Patched", ["nothing", "word", "speaker", "sound"]),
    y: .linear("Share of crossings", -0.04...1.04, ticks: 4), marks)
}

/// Rows of the table in the columns of ``transferTable(_:)``.
private func probeLines(_ name: String, _ probes: ProbeReadings) -> String {
  probedArms.flatMap { arm -> [String] in
    guard let read = probes.arms[arm.rawValue] else { return [] }
    return zip(["projector", "two thirds up"], read.baseVoice).map { site, value in
      "\(name)\tprobe\t\(arm.rawValue)\tbase voice, \(site)\t\(value.value)\t\(value.low)\t"
        + "\(value.high)\n"
    }
  }.joined()
}
