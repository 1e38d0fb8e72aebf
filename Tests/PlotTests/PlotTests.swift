import Foundation
import Plot
import Testing

@Test func demo() throws {
  let folder = URL(fileURLWithPath: ProcessInfo.processInfo.environment["PLOT_DEMO"] ?? "/tmp")
  try demonstration().write(
    pdf: folder.appendingPathComponent("plot-demo.pdf"),
    svg: folder.appendingPathComponent("plot-demo.svg"),
    title: "Demonstration", description: "d", stamp: "stamp abc")
  try smallDemonstration().write(
    pdf: folder.appendingPathComponent("plot-small.pdf"), title: "Demonstration", description: "d",
    stamp: "stamp abc")
}
