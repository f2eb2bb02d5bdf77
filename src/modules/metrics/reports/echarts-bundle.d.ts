/**
 * The whole library in one minified file: one of hundreds of modules would be read and compiled one by one, which takes
 * six times as long and three times the memory, whatever little of it is used.
 */
declare module 'echarts/dist/echarts.esm.min.mjs' {
  export { init } from 'echarts/core';
}
