// The kinds of work that `reproduce bench` repeats, each prepared once: what is opened and read before does
// not count. A clip's features are made before all but log-mel, for both programs.

import ArgumentParser
import Interventions
import Notebook
import Speech
import Tensor

enum BenchWork: String, ExpressibleByArgument, CaseIterable {
  case logMel = "log-mel"
  case forward, search, map
  case plainMap = "plain-map"
  case step

  /// What is repeated.
  func prepared(for job: BenchJob) throws -> () throws -> BenchValues {
    switch self {
    case .logMel: try logMel(job)
    case .forward: try forward(job)
    case .search: try search(job)
    case .map: try map(job, resuming: true)
    case .plainMap: try map(job, resuming: false)
    case .step: try BenchStep(job).repeated()
    }
  }

  /// A recording's features; of them every 101st number comes out, frame by frame.
  private func logMel(_ job: BenchJob) throws -> () throws -> BenchValues {
    let config = try openConfig(folder: job.folder)
    guard
      let encoder = (config as? WhisperConfig)?.encoder
        ?? (config as? any AudioLanguageConfig)?.encoder
    else { throw CheckpointError("\(job.folder): hears no log-mel features") }
    let wave = try job.wave("clean")
    // Without the weights, as the other program makes them.
    let features = LogMel(
      bands: encoder.melBands, samples: 2 * encoder.positions * LogMel.hop)
    return {
      let mel = features(wave.samples)
      var values = BenchValues()
      mel.withNumbers { all in
        for i in stride(from: 0, to: all.count, by: 101) {
          values.numbers.append(("\(i)", Double(all[i])))
        }
      }
      return values
    }
  }

  /// One run of the clean recording with what runs are resumed from, and its logit difference.
  private func forward(_ job: BenchJob) throws -> () throws -> BenchValues {
    let model = try job.model()
    let question = try job.questions(model).clean
    return { BenchValues("clean", try model.trace(question).logitDifference) }
  }

  /// Attribution from the corrupt run to the clean one: two runs and one pass back.
  private func search(_ job: BenchJob) throws -> () throws -> BenchValues {
    let model = try job.model()
    let (clean, corrupt) = try job.questions(model)
    let rows = try job.rows(model, in: model.trace(corrupt))
    let windows = try job.windows()
    let options = SearchOptions(.attribution, sites: rows.sites)
    return {
      let found = try model.search(base: corrupt, source: clean, options)
      var values = BenchValues()
      for row in rows {
        for window in windows {
          values.numbers.append(
            ("\(row)@\(window)", found.scores[row.site]?.score(window, index: row.index)))
        }
      }
      return values
    }
  }

  /// Every cell of the corrupt run patched from the clean one, behind the two runs.
  private func map(_ job: BenchJob, resuming: Bool) throws -> () throws -> BenchValues {
    let model = try job.model()
    let (clean, corrupt) = try job.questions(model)
    let rows = try job.rows(model, in: model.trace(corrupt))
    let windows = try job.windows()
    let cells = rows.flatMap { row in
      windows.map { Interventions.Cell(row.site, index: row.index, $0) }
    }
    let sites = rows.sites
    return {
      let runs = try mapInParallel(2) {
        try model.trace($0 == 0 ? corrupt : clean, keeping: sites)
      }
      let patches = try cells.map {
        try Selection($0, base: runs[0], source: runs[1], .identity)?.patch()
      }
      var outcomes = try model.patched(
        runs[0], patches.compactMap { $0 }.map { [$0] }, resuming: resuming)[...]
      var values = BenchValues()
      for (cell, patch) in zip(cells, patches) where patch != nil {
        values.numbers.append(("\(cell)", outcomes.removeFirst().logitDifference))
      }
      return values
    }
  }
}
