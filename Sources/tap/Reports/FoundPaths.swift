// What `tap paths` says of one sender: its effect along every path, beside its controls.

import Foundation
import Interventions
import JSON
import Speech
import Tensor

struct FoundPaths {
  let cell: Interventions.Cell
  let positions: [Int]
  /// LD of both runs as they are, in nats.
  let base: Double
  let source: Double
  /// Receivers that lie behind the sender.
  let receivers: [PathReceiver]
  let real: PathEffects
  /// A random direction of the same length; another item moved as far, where one is given.
  let random: PathEffects
  let wrongItem: PathEffects?
  /// Of the base run's own value, the largest effect without its sign: 0 where nothing is amiss.
  let own: Double
  /// Whether the receivers are all there are, so that a sum over them can be asked.
  let isEvery: Bool

  /// - Throws: where the window holds no position, nothing begins at the sender, or a named receiver does not
  ///   lie behind it.
  init(
    _ cell: Interventions.Cell, _ model: any SpeechLanguageModel, base: Trace, source: Trace,
    _ joined: Alignment, stranger: (trace: Trace, alignment: Alignment)?,
    _ receivers: [PathReceiver], isEvery: Bool
  ) throws {
    let selection = try Selection(cell, base: base, source: source, joined, strict: true)!
    let behind = isEvery ? model.receivers(receivers, behind: cell.site) : receivers
    func effects(_ patch: Patch) throws -> PathEffects {
      let logits = try model.pathLogits(base, from: patch, through: behind)
      func effect(_ logits: Tensor) -> Double {
        base.question.outcome(logits).logitDifference - base.logitDifference
      }
      return PathEffects(
        whole: effect(logits.whole), through: logits.through.map(effect),
        direct: effect(logits.direct))
    }
    let drawn = Random(seed: 1).split("tap paths").split(cell.description)
    self.cell = cell
    (self.base, self.source) = (base.logitDifference, source.logitDifference)
    (positions, self.receivers, self.isEvery) = (selection.positions, behind, isEvery)
    real = try effects(selection.patch())
    guard
      let control = try model.control(
        .randomDirection, of: selection, base: base, source: source, stranger: nil, drawn)
    else { throw CellError("\(cell): has no random direction; name a site that holds vectors") }
    random = try effects(control)
    wrongItem = try model.control(
      .wrongItem, of: selection, base: base, source: source, stranger: stranger, drawn
    ).map(effects)
    let own = try effects(selection.patch(taking: selection.base))
    self.own = ([own.whole, own.direct] + own.through.compactMap { $0 }).map(abs).max() ?? 0
  }

  /// Runs that were made, most of them from a later cut on.
  var runs: Int { (receivers.count + 2) * (wrongItem == nil ? 3 : 4) }

  /// Whether the whole effect is too small for shares of it.
  var isSmall: Bool { abs(real.whole) < max(0.01 * abs(source - base), 1e-6) }

  func printTable(_ top: Int) {
    print("sender      \(cell), positions \(positions)")
    print(String(format: "base        %.5f    source %.5f nats", base, source))
    print(String(format: "whole       %+.5f nats", real.whole), terminator: "")
    if isEvery {
      print(
        String(format: "    sum over all paths %+.5f", real.sum)
          + (share(real.sum).map { String(format: ", %.3f of it", $0) } ?? ""), terminator: "")
    }
    print(String(format: "    its own value %.5f", own))
    let rows =
      receivers.indices.map { Row(name: receivers[$0].name, at: $0) } + [
        Row(name: "logits", at: nil)
      ]
    let order = rows.indices.sorted {
      let (a, b) = (abs(effect(real, rows[$0])), abs(effect(real, rows[$1])))
      return (b, $0) < (a, $1)
    }
    let width = max(12, rows.map(\.name.count).max() ?? 0) + 2
    func padded(_ text: String) -> String {
      text.padding(toLength: width, withPad: " ", startingAt: 0)
    }
    print(
      "\n" + padded("receiver") + "   effect    share   random direction"
        + (wrongItem == nil ? "" : "   wrong item"))
    for i in order.prefix(top) {
      let row = rows[i]
      print(
        padded(row.name) + String(format: "%+9.5f", effect(real, row))
          + (share(effect(real, row)).map { String(format: "%9.3f", $0) } ?? "        -")
          + String(format: "%19.5f", effect(random, row))
          + (wrongItem.map { String(format: "%13.5f", effect($0, row)) } ?? ""))
    }
    if rows.count > top {
      let rest = order.dropFirst(top).reduce(0) { $0 + effect(real, rows[$1]) }
      print(padded("\(rows.count - top) more") + String(format: "%+9.5f", rest))
    }
    print("")
  }

  var json: JSON {
    .object([
      "sender": .string(cell.description), "positions": .array(positions.map { .integer($0) }),
      "base": .number(base), "source": .number(source), "receivers_are_all": .bool(isEvery),
      "effects": stated(real), "random_direction": stated(random),
      "wrong_item": wrongItem.map(stated) ?? .null, "own_value": .number(own),
    ])
  }

  private func stated(_ effects: PathEffects) -> JSON {
    .object([
      "whole": .number(effects.whole), "logits": .number(effects.direct),
      "sum": isEvery ? .number(effects.sum) : .null,
      "through": .array(
        zip(receivers, effects.through).map {
          ["receiver": .string($0.name), "effect": $1.map { .number($0) } ?? .null]
        }),
    ])
  }

  private struct Row {
    let name: String
    /// Of the receivers; nil for the logits.
    let at: Int?
  }

  private func effect(_ effects: PathEffects, _ row: Row) -> Double {
    row.at.map { effects.through[$0] ?? 0 } ?? effects.direct
  }

  /// Of the whole effect; nil where that is no hundredth of what parts the two runs.
  private func share(_ effect: Double) -> Double? { isSmall ? nil : effect / real.whole }
}
